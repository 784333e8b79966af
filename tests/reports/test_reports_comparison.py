"""Two commits side by side: what counts as moved, and what stands first."""

import math
import random

import pytest

from reports.charts.commits.comparison import compare, verdict
from reports.charts.commits.kept import kept
from tests.reports.histories import history, series


@pytest.mark.parametrize(
    ("change", "limit", "threshold", "expected"),
    [
        (0.06, 0.01, 0.05, "worse"),
        (-0.06, 0.01, 0.05, "better"),
        (0.06, None, 0.05, "worse"),
        (0.06, 0.07, 0.05, "scatter"),
        (0.04, 0.01, 0.05, "small"),
        (0.04, None, 0.05, "small"),
        (0.04, 0.01, 0.03, "worse"),
        (0.0, 0.0, 0.0, "equal"),
        (math.inf, 0.5, 0.05, "worse"),
        (-1.0, 0.5, 0.05, "better"),
    ],
)
def test_what_a_change_is(change, limit, threshold, expected):
    assert verdict(change, limit, threshold) == expected


def test_worse_comes_first_then_failed_then_better_and_those_missing_last():
    wild = [1.0, 1.6] * 10
    rows = compare(
        history(
            series([1.0] * 20, "a.equal"),
            series([1.0] * 19 + [None], "b.failed"),
            series([1.0] * 19 + [1.1], "c.slower"),
            series([1.0] * 19 + [0.5], "d.faster"),
            series(wild, "e.wild"),
            series([None] * 20, "f.never"),
            series([1.0] * 18 + [None, 1.0], "g.new"),
            series([1.0] * 19 + [1.5], "h.time_spread"),
        ),
        18,
        19,
    )
    assert [(row.series.benchmark, row.verdict) for row in rows] == [
        ("c.slower", "worse"),
        ("b.failed", "failed"),
        ("d.faster", "better"),
        ("e.wild", "scatter"),
        ("h.time_spread", "unjudged"),
        ("a.equal", "equal"),
        ("g.new", "only-b"),
    ]
    assert {row.missing for row in rows if row.change is None} == {"failed"}


HEAVY = [1.0, 1.01, 1.002, 0.99, 1.0, 1.3, 1.0, 1.005, 0.99, 1.01] * 3


def test_what_has_happened_between_neighbours_on_one_level_is_no_change():
    (row,) = compare(history(series([*HEAVY, *(0.1 * value for value in HEAVY)])), 4, 5)
    assert (row.limit, row.verdict) == (pytest.approx(0.3), "scatter")
    (row,) = compare(history(series([*HEAVY, *(1.5 * value for value in HEAVY)])), 27, 34)
    assert row.verdict == "worse"


def test_neighbours_are_those_that_have_a_value_and_from_zero_nothing_is_larger():
    assert kept((1.0, None, 1.5, None) * 10).jump == 0.5
    assert kept((0.0, 1.0, 0.0) * 10).jump == math.inf
    assert kept((None,)).jump == kept(()).jump == 0
    (row,) = compare(history(series([0.0, 1.0, 0.0] * 10)), 0, 1)
    assert (row.limit, row.verdict) == (math.inf, "scatter")


def test_what_is_judged_is_what_the_page_keeps():
    """Both are 5 % apart by themselves, and only one is as rounded."""
    values = [1.0, 1.01, 0.99] * 10
    (row,) = compare(history(series([*values, *[1.0, 1.0499996] * 10])), 0, 49, 0.05)
    assert row.after == 1.05


def test_a_short_history_has_no_scatter_and_the_size_alone_decides():
    (row,) = compare(history(series([1.0, 1.6, 1.0, 1.6])), 0, 1)
    assert (row.limit, row.verdict) == (None, "worse")


def test_noise_of_three_percent_is_seldom_called_a_change():
    choose = random.Random(3)
    item = history(*(series([choose.gauss(1, 0.03) for _ in range(100)], f"m.{number}") for number in range(40)))
    rows = [row for a in range(0, 100, 10) for row in compare(item, a, a + 5)]
    moved = [row for row in rows if row.verdict in ("worse", "better")]
    assert len(rows) == 400
    assert len([row for row in rows if abs(row.change) > 0.05]) > 40  # the threshold alone would report these
    assert len(moved) <= 4
