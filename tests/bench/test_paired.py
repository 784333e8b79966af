"""Tests of bench.paired."""

import itertools

import numpy as np
import pytest

from bench import paired


def test_both_run_on_the_same_argument_in_turn_and_the_order_changes():
    calls = []
    arguments = itertools.count()
    first, second = paired.paired_seconds(
        lambda argument: calls.append(("first", argument)),
        lambda argument: calls.append(("second", argument)),
        lambda: next(arguments),
    )
    assert len(first) == len(second) == paired.MAX_ROUNDS
    rounds = list(zip(calls[::2], calls[1::2], strict=True))
    assert len(rounds) == paired.MAX_ROUNDS + paired.WARMUP_ROUNDS
    for number, ((one, argument), (other, same_argument)) in enumerate(rounds):
        assert argument == same_argument == number
        assert {one, other} == {"first", "second"}
    assert [one for (one, _), _ in rounds[:4]] in (["first", "second"] * 2, ["second", "first"] * 2)


def test_slow_steps_get_fewer_rounds_but_not_too_few(monkeypatch):
    monkeypatch.setattr(paired, "SECONDS", 0.0)
    first, second = paired.paired_seconds(len, len, tuple)
    assert len(first) == len(second) == paired.MIN_ROUNDS


def test_ratios_are_taken_round_by_round():
    assert paired.ratios({"seconds": [2.0, 30.0], "baselineSeconds": [1.0, 10.0]}) == [2.0, 3.0]


def test_the_interquartile_range():
    assert paired.interquartile_range([1.0, 2.0, 3.0, 4.0, 100.0]) == 2.0


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="unknown model 'gpt3'; choose one of: gpt2-nano, gpt2-small"):
        paired.shapes_of("gpt3")


def test_gradients_disagree_with_the_last_ones_in_half_of_the_coordinates():
    shapes = [(300, 200), (50,), ()]
    gradients = paired.Gradients(shapes)
    draws = [gradients.draw() for _ in range(5)]
    assert [array.shape for array in draws[0]] == shapes
    assert all(array.dtype == np.float32 for array in draws[0])
    for earlier, later in itertools.pairwise(draws):
        disagreeing = np.mean(np.signbit(earlier[0]) != np.signbit(later[0]))
        assert disagreeing == pytest.approx(0.5, abs=0.012)  # six standard errors of 60000 coin tosses


def test_gradients_begin_where_allocated_arrays_would():
    gradients = paired.Gradients([(1000,), (7,)])
    for _ in range(3):
        assert all(array.ctypes.data % 64 == 0 for array in gradients.draw())
