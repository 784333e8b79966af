"""Tests of bench.changes.verdicts."""

import itertools
import math
import random

import pytest

from bench.changes.verdicts import FASTER, FEWEST_LAUNCHES, LEVEL, SLOWER, UNCHANGED, _p, proportion_interval, verdict


def test_where_nothing_differs_the_level_holds_exactly_whatever_the_noise():
    """Versions that do not differ give each launch either sign with the same probability: all signs are tried."""
    magnitudes = [0.11 * 1.7**k for k in range(FEWEST_LAUNCHES - 1)] + [50.0]  # heavy tails, and one gone wild
    reported = 0
    for signs in itertools.product((-1, 1), repeat=FEWEST_LAUNCHES):
        reported += _p([sign * size for sign, size in zip(signs, magnitudes, strict=True)]) <= LEVEL
    assert 0 < reported <= LEVEL * 2**FEWEST_LAUNCHES


def test_the_interval_holds_what_the_test_does_not_reject():
    chance = random.Random(1)
    seen = set()
    for _ in range(20):
        values = [chance.gauss(0.03, 0.03) for _ in range(chance.randrange(FEWEST_LAUNCHES, 13))]
        found = verdict(values)
        rejected = found.p <= LEVEL
        assert rejected == (not found.low <= 1 <= found.high) or min(abs(1 - found.low), abs(1 - found.high)) < 2e-4
        assert found.low <= found.ratio <= found.high
        seen.add(rejected)
    assert seen == {True, False}


def test_a_change_needs_a_size_as_well_as_a_small_p_value():
    noise = [0.001 * (k - 5) for k in range(10)]
    by = {percent: verdict([math.log(1 + percent / 100) + x for x in noise]) for percent in (-10, 3, 10)}
    assert {percent: found.word for percent, found in by.items()} == {-10: FASTER, 3: UNCHANGED, 10: SLOWER}
    assert all(found.p <= LEVEL for found in by.values())
    assert by[10].ratio == pytest.approx(1.1, rel=1e-3)  # the noise's own centre is -0.0005


@pytest.mark.parametrize("wild", [-5.0, 5.0])
def test_one_wild_launch_of_twelve_neither_hides_a_change_nor_moves_the_estimate(wild):
    found = verdict([0.1 + 1e-3 * k for k in range(-5, 6)] + [wild])
    assert found.word == SLOWER
    assert found.ratio == pytest.approx(1.105, abs=2e-3)
    assert 1.09 < found.low < found.high < 1.12


def test_two_wild_launches_do_hide_it():
    """The price of the level: two signs of twelve against it are no certainty."""
    assert verdict([0.1 + 1e-3 * k for k in range(-5, 5)] + [-5.0, -5.0]).word == UNCHANGED


def test_identical_times_are_no_change():
    assert verdict([0.0] * 10).word == UNCHANGED


def test_too_few_launches_are_an_error():
    with pytest.raises(ValueError, match="9 launches are too few for the test; 10 are enough"):
        verdict([0.1] * 9)


def test_the_binomial_interval_is_the_exact_one():
    assert proportion_interval(0, 300) == pytest.approx((0, 1 - 0.025 ** (1 / 300)))
    assert proportion_interval(80, 80) == pytest.approx((0.025 ** (1 / 80), 1))
