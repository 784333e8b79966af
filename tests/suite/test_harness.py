"""The vectors and the runner, tested on implementations that are right or wrong on purpose."""

import pytest

from suite.adapters import Observation
from suite.check import check
from suite.load import load_all
from tests.suite.wrong import WRONG, Implementation

FILES = [file for file in load_all() if file.name != "hyperparameters.json"]


def outcomes(adapter):
    return {(o.id, o.dtype): o for o in check(adapter, FILES)}


def test_a_correct_implementation_passes():
    assert {key: o.message for key, o in outcomes(Implementation()).items() if o.outcome != "pass"} == {}


@pytest.mark.parametrize("mistake", WRONG)
def test_every_mistake_is_caught_by_a_named_case(mistake):
    adapter, case, quantity = WRONG[mistake]
    results = outcomes(adapter)
    for dtype in ("float32", "float64"):
        caught = results[case, dtype]
        assert caught.outcome == "fail"
        assert f": {quantity}[" in caught.message


def test_what_an_adapter_cannot_observe_is_not_reported_rather_than_passed():
    class Blind(Implementation):
        def step(self, gradients, lr):
            return Observation(super().step(gradients, lr).params)

    result = outcomes(Blind())["alphaadam/fifth-step", "float32"]
    assert result.outcome == "pass"
    assert result.notReported == ["mask", "m", "v", "alpha"]
    assert set(result.largestUlp) == {"params"}


def test_an_exception_is_an_error_with_its_traceback():
    class Broken(Implementation):
        def step(self, gradients, lr):
            raise RuntimeError("no such kernel")

    result = next(iter(check(Broken(), FILES)))
    assert result.outcome == "error"
    assert "RuntimeError: no such kernel" in result.message


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "fail"), (ValueError, "pass"), (TypeError, "pass"), (ZeroDivisionError, "error")]
)
def test_invalid_hyperparameters_must_be_rejected_by_a_value_or_type_error(error, outcome):
    class Constructing(Implementation):
        def construct(self, hyperparameters):
            if error:
                raise error

    files = [file for file in load_all() if file.name == "hyperparameters.json"]
    assert {o.outcome for o in check(Constructing(), files)} == {outcome}


def test_a_result_of_the_wrong_dtype_or_shape_fails():
    class Widening(Implementation):
        def step(self, gradients, lr):
            seen = super().step(gradients, lr)
            return Observation([p.astype("float64") for p in seen.params], seen.m, seen.v, seen.mask, seen.alpha)

    result = outcomes(Widening())["adamw/first-step", "float32"]
    assert result.outcome == "fail"
    assert "params[0] is float64 of shape (2, 3), expected float32" in result.message
