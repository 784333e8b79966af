"""Tests of bench.paired."""

import itertools
import math
import time

import numpy as np
import pytest

from bench import paired


class Step:
    """Notes what it was given when it runs."""

    def __init__(self, name="step", calls=None):
        self.name, self.calls, self.gradients = name, [] if calls is None else calls, None

    def take(self, gradients):
        self.gradients = gradients

    def run(self):
        self.calls.append((self.name, self.gradients))


def test_both_run_on_the_same_gradients_in_turn_and_the_order_changes():
    calls = []
    gradients = itertools.count()
    first, second = paired.paired_seconds(Step("first", calls), Step("second", calls), lambda: next(gradients))
    assert len(first) == len(second) == paired.MAX_ROUNDS
    rounds = list(zip(calls[::2], calls[1::2], strict=True))
    assert len(rounds) == paired.MAX_ROUNDS + paired.WARMUP_ROUNDS
    for number, ((one, gradient), (other, same_gradient)) in enumerate(rounds):
        assert gradient == same_gradient == number
        assert {one, other} == {"first", "second"}
    assert [one for (one, _), _ in rounds[:4]] in (["first", "second"] * 2, ["second", "first"] * 2)


def test_slow_steps_get_fewer_rounds_but_not_too_few(monkeypatch):
    monkeypatch.setattr(paired, "SECONDS", 0.0)
    first, second = paired.paired_seconds(Step(), Step(), tuple)
    assert len(first) == len(second) == paired.MIN_ROUNDS


def test_each_began_equally_often_however_long_it_takes(monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(paired.time, "perf_counter", lambda: next(now))
    for budget in range(1, 120):
        first, second = paired.paired_seconds(Step(), Step(), tuple, budget=budget)
        assert len(first) == len(second)
        assert len(first) % 2 == 0


def test_time_and_number_of_rounds_can_be_asked_for_and_the_clock_replaced():
    def clock(run):
        run()
        return 7.0

    first, second = paired.paired_seconds(Step(), Step(), tuple, budget=60.0, most_rounds=8, clock=clock)
    assert first == second == [7.0] * 8
    first, _ = paired.paired_seconds(Step(), Step(), tuple, budget=0.0, most_rounds=8, clock=clock)
    assert first == [7.0] * paired.MIN_ROUNDS


def test_handing_over_the_gradients_is_not_timed():
    class Slow(Step):
        def take(self, gradients):
            time.sleep(0.01)

    first, _ = paired.paired_seconds(Slow(), Step(), tuple, budget=0.0)
    assert min(first) < 0.005


def test_who_begins_a_round_cancels_out_of_the_ratios():
    # Twice as long at the beginning of a round: single ratios would be 2 and 0.5.
    measured = {"seconds": [2.0, 1.0, 6.0, 3.0], "baselineSeconds": [1.0, 2.0, 1.0, 2.0]}
    assert paired.ratios(measured) == pytest.approx([1.0, 3.0])


def test_the_interquartile_range():
    assert paired.interquartile_range([1.0, 2.0, 3.0, 4.0, 100.0]) == 2.0


def test_an_unknown_model_is_refused():
    for name in ("gpt3", "0x10", "10x", "x10", "10x-1"):
        with pytest.raises(ValueError, match=f"unknown model '{name}'; choose one of: gpt2-nano, gpt2-small"):
            paired.shapes_of(name)


def test_equal_tensors_are_named_by_number_and_size():
    assert paired.shapes_of("3x1000") == [(1000,), (1000,), (1000,)]


@pytest.mark.parametrize(("model", "parameters"), [("small", 124439808), ("medium", 354823168), ("large", 774030080)])
def test_the_models_have_the_published_sizes(model, parameters):
    shapes = paired.shapes_of(f"gpt2-{model}")
    assert sum(math.prod(shape) for shape in shapes) == parameters


def test_gradients_disagree_with_the_last_ones_in_half_of_the_coordinates():
    shapes = [(300, 200), (50,), ()]
    gradients = paired.Gradients(shapes)
    draws = [gradients.draw() for _ in range(5)]
    assert [array.shape for array in draws[0]] == shapes
    assert all(array.dtype == np.float32 for array in draws[0])
    for earlier, later in itertools.pairwise(draws):
        disagreeing = np.mean(np.signbit(earlier[0]) != np.signbit(later[0]))
        assert disagreeing == pytest.approx(0.5, abs=0.012)  # six standard errors of 60000 coin tosses


def test_a_coordinate_never_meets_its_copy_where_the_numbers_repeat(monkeypatch):
    monkeypatch.setattr(paired.Gradients, "BLOCK", 2**18 + 2**12)
    gradients = paired.Gradients([(2**19,), (2**18,)])
    for earlier, later in itertools.pairwise([gradients.draw() for _ in range(5)]):
        for one, other in zip(earlier, later, strict=True):
            disagreeing = np.mean(np.signbit(one) != np.signbit(other))
            assert disagreeing == pytest.approx(0.5, abs=0.01)  # ten standard errors


def test_gradients_do_not_share_memory_with_one_another():
    shapes = [(500,), (20, 30), (7,)]
    gradients = paired.Gradients(shapes)
    places = [array.ctypes.data for array in gradients.draw()]
    again = [array.ctypes.data for array in gradients.draw()]
    moves = 4 * gradients.ALIGNMENT * gradients.PLACES
    assert all(abs(one - other) < moves for one, other in zip(places, again, strict=True))
    assert gradients._starts.tolist() == [0, 512, 512 + 640]


def test_gradients_can_be_anything_that_is_cut_and_shaped():
    draws = paired.Gradients([(4, 3), (5,)], lambda pool: pool.astype(np.float16)).draw()
    assert [(array.shape, array.dtype) for array in draws] == [((4, 3), np.float16), ((5,), np.float16)]


def test_gradients_begin_where_allocated_arrays_would():
    gradients = paired.Gradients([(1000,), (7,)])
    for _ in range(3):
        assert all(array.ctypes.data % 64 == 0 for array in gradients.draw())
