"""Marks: exactly where a level changed by enough, and nowhere else."""

import math
import random

import pytest

from reports.charts.commits.steps import ENOUGH, relative, trend
from reports.sources.asv_history import load_asv
from tests.reports.synthetic_history import make


def noisy(levels, noise=0.01, seed=1):
    choose = random.Random(seed)
    return tuple(level * (1 + choose.gauss(0, noise)) for level in levels)


def marks(values):
    return [(mark.at, mark.since, round(mark.change, 2)) for mark in trend(tuple(values)).marks]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_marks_are_the_planted_changes_commit_for_commit(seed, tmp_path):
    """Normal noise of 1 %, one value in fifty five times as far off, one in a hundred missing; steps of 8 to 30 %."""
    planted = make(tmp_path, commits=150, benchmarks=2, shapes=3, seed=seed)

    def complain(path, reason):
        raise AssertionError(f"{path}: {reason}")

    (history,) = load_asv(tmp_path, complain)
    found = {
        (series.benchmark, series.framework, tuple(repr(value) for _, value in series.parameters), mark.at): mark.change
        for series in history.series
        for mark in trend(series.values).marks
    }
    expected = {(*change[:3], change.commit): change.factor - 1 for change in planted}
    assert len(history.series) == 60
    assert len(planted) > 12
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(expected[key], abs=0.02) for key in expected)


def test_changes_below_five_percent_are_not_marked_and_slow_drift_is_once_it_is_as_large():
    assert marks(noisy([1.0] * 40 + [1.03] * 40, 0.002)) == []
    assert marks(noisy([1.0] * 30 + [1.03] * 30 + [1.06] * 30, 0.002)) == [(60, 59, 0.06)]


def test_a_level_is_compared_with_the_one_after_the_last_mark_and_back_again():
    assert marks(noisy([1.0] * 30 + [1.2] * 30 + [1.0] * 30)) == [(30, 29, 0.2), (60, 59, -0.17)]


def test_a_single_value_is_no_change_unless_it_is_the_newest():
    assert marks(noisy([1.0] * 30 + [1.5] + [1.0] * 30)) == []
    assert marks(noisy([1.5] + [1.0] * 30)) == []
    (mark,) = trend(noisy([1.0] * 30 + [1.5])).marks
    assert (mark.at, mark.values) == (30, 1)


def test_commits_without_a_value_stand_between_a_mark_and_the_value_before():
    values = [*noisy([1.0] * 20), None, None, *noisy([1.2] * 20, seed=2)]
    (mark,) = trend(tuple(values)).marks
    assert (mark.at, mark.since) == (22, 19)


def test_changes_from_zero_are_infinite_and_to_zero_whole():
    assert marks([0.0] * 20 + [1.0] * 20) == [(20, 19, math.inf)]
    assert marks([1.0] * 20 + [0.0] * 20) == [(20, 19, -1.0)]


def test_a_change_is_relative_to_the_size_of_what_was_before():
    assert relative(-2.0, -1.0) == 0.5
    assert relative(0.0, 0.0) == 0


@pytest.mark.parametrize("values", [(), (None,) * 5, (1.0,), (None, 1.0), (0.0,) * 20, (3.0,) * 20])
def test_what_does_not_change_is_not_marked(values):
    assert trend(values).marks == ()


def test_extreme_values_end():
    assert len(marks([1e308] * 10 + [5e-324] * 10)) == 1
    assert marks([1e308, -1e308] * 10) == []


def test_scatter_is_about_one_standard_deviation_about_the_levels():
    assert trend(noisy([1.0] * 300 + [5.0] * 300, 0.02)).scatter == pytest.approx(0.02, rel=0.1)
    assert trend((2.0,) * 20).scatter == 0
    assert trend((2.0,) * ENOUGH).scatter is None
    assert trend((2.0,) * (ENOUGH + 1)).scatter == 0
