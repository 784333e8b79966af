"""Tests of the statistics, against SciPy and values worked out by hand."""

import math

import pytest
from scipy import stats

from bench.compare.statistics import holm, interval, paired, steps_to, verdict

VALUES = [2.31, 2.28, 2.35, 2.30, 2.29]


def test_the_interval_is_students():
    found = interval(VALUES)
    low, high = stats.t.interval(0.95, 4, loc=sum(VALUES) / 5, scale=stats.sem(VALUES))
    assert found["n"] == 5
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-12)
    # By hand: mean 2.306, deviation 0.0270, t(0.975, 4) = 2.776, so half of it is 2.776 · 0.0270 / √5.
    assert found["mean"] == pytest.approx(2.306)
    assert found["high"] - found["mean"] == pytest.approx(2.7764 * math.sqrt(0.00073) / math.sqrt(5), rel=1e-4)


@pytest.mark.parametrize(("values", "mean"), [([], None), ([2.5], 2.5)])
def test_fewer_than_two_values_have_no_interval(values, mean):
    assert interval(values) == {"n": len(values), "mean": mean, "low": None, "high": None}


def test_p_is_that_of_the_paired_t_test():
    others = [2.30, 2.25, 2.36, 2.27, 2.25]
    found = paired([other - value for other, value in zip(others, VALUES, strict=True)])
    assert found["p"] == pytest.approx(stats.ttest_rel(others, VALUES).pvalue)


@pytest.mark.parametrize(("differences", "p"), [([0.0, 0.0], 1.0), ([0.5, 0.5], 0.0), ([0.1], None)])
def test_p_where_t_has_no_value(differences, p):
    assert paired(differences)["p"] == p


def test_holm_multiplies_the_smallest_by_the_number_of_tests_and_never_falls():
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": None}) == {
        "a": pytest.approx(0.06),  # 0.04 · 1 would be less than c's
        "b": pytest.approx(0.03),
        "c": pytest.approx(0.06),
        "d": None,
    }
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def points(*losses):
    return [{"step": 10 * number, "loss": loss} for number, loss in enumerate(losses, 1)]


@pytest.mark.parametrize(
    ("losses", "steps"),
    [
        ((4.0, 3.0, 2.0), 25.0),  # halfway between 3 and 2
        ((4.0, 2.5, 2.0), 20.0),  # exactly at a point
        ((2.0, 1.0), 10.0),  # at once: nothing is known before
        ((4.0, 3.0), None),
        ((4.0, 2.0, 3.0, 2.0), 17.5),  # the first time counts
        ((), None),
    ],
)
def test_steps_to_a_loss_lie_on_a_straight_line_between_points(losses, steps):
    assert steps_to(points(*losses), 2.5) == steps
    assert steps_to(reversed(points(*losses)), 2.5) == steps


@pytest.mark.parametrize(
    ("low", "high", "adjusted", "words"),
    [
        (-0.02, 0.01, 0.5, "no difference shown"),
        (0.0, 0.01, 0.05, "no difference shown"),
        (-0.02, -0.01, 0.01, "lower loss"),
        (0.01, 0.02, 0.01, "higher loss"),
        (-0.02, -0.01, 0.08, "lower loss, but not shown among 4 comparisons"),
        (None, None, None, "too few pairs to say"),
    ],
)
def test_the_verdict_claims_no_more_than_the_interval(low, high, adjusted, words):
    assert verdict({"low": low, "high": high, "pHolm": adjusted}, 4) == words
