"""Tests of bench.speed.course, with steps that take no time."""

import numpy as np
import pytest

from bench.paired import MIN_ROUNDS, WARMUP_ROUNDS
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.course import STEPS_BEFORE, check_memory, measure_in_turn, minimal_bytes

CELL = Cell("cpu", "float32", "2x3", "alphaadam-jit")


class Step:
    """Adds what it is given."""

    def __init__(self, factor=1.0):
        self.parameters, self.factor, self.taken = [np.ones(3, np.float32) for _ in range(2)], factor, []

    def take(self, gradients):
        self.taken.append(gradients)

    def run(self):
        for parameter in self.parameters:
            parameter += self.factor * self.taken[-1]

    def values(self):
        return iter(self.parameters)

    def state_bytes(self):
        return int(100 * self.factor)


def measure(*steps, inspect=dict):
    names = ("seconds", "baselineSeconds", "fastestSeconds")
    gradients = iter(range(1, 1000))
    return measure_in_turn(CELL, 4, dict(zip(names, steps, strict=False)), lambda: next(gradients), 0.0, inspect)


def test_all_steps_get_the_same_gradients_and_only_the_measured_one_is_inspected():
    steps = [Step(), Step(2.0), Step(3.0)]
    found = measure(*steps, inspect=lambda: {"seen": steps[0].taken[-1]})
    assert [len(found[name]) for name in ("seconds", "baselineSeconds", "fastestSeconds")] == [MIN_ROUNDS] * 3
    inspected = STEPS_BEFORE + 1
    assert found["seen"] == inspected
    assert steps[1].taken == steps[2].taken == [given for given in steps[0].taken if given != inspected]
    assert len(steps[1].taken) == STEPS_BEFORE + WARMUP_ROUNDS + MIN_ROUNDS


def test_a_record_holds_sizes():
    found = measure(Step(), Step(2.0))
    assert "fastestSeconds" not in found
    sizes = {name: found[name] for name in found if "econds" not in name}
    assert sizes == {
        "parameters": 6,
        "tensors": 2,
        "parameterBytes": 24,
        "minimalBytes": 218,  # 36.25 each, rounded
        "stateBytes": 100,
        "baselineStateBytes": 200,
    }


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_a_step_that_does_not_do_its_work_gives_no_figure(factor):
    with pytest.raises(NotMeasurableError, match=r"does not do its work: a parameter of shape \(3,\) did not change"):
        measure(Step(factor), Step())


def test_adamw_moves_28_bytes_and_alphaadam_36_and_a_quarter():
    assert minimal_bytes("adamw-fused", 4) == 28
    assert minimal_bytes("alphaadam-loop", 4) == 36.25
    assert minimal_bytes("adamw-foreach", 2) == 14
    assert minimal_bytes("alphaadam-alpha1-jit", 2) == 18.25


def test_some_memory_is_left():
    check_memory(0.9 * 2**30, 2**30)
    with pytest.raises(
        NotMeasurableError, match=r"^needs about 0\.9 GiB of memory; 1\.0 GiB are free, some to be left$"
    ):
        check_memory(0.91 * 2**30, 2**30)
