"""The vectors and the runner, tested on implementations that are right or wrong on purpose."""

import sys

import pytest

from suite.adapters import Observation, UnsupportedError, create
from suite.check import all_tests, check
from suite.examples.numpy_alphaadam import NumpyAlphaAdam
from suite.examples.numpy_alphamask import NumpyAlphaMaskLion, NumpyAlphaMaskSGD
from suite.load import load_all
from tests.suite.wrong import WRONG, described

ALL_TESTS = list(all_tests(load_all()))
TESTS = [test for test in ALL_TESTS if test.optimizer == "AlphaAdam"]


def one(adapter, test_id, dtype="float32"):
    """The outcome of the test of that name."""
    where = (adapter.optimizer, test_id, dtype)
    (test,) = [t for t in ALL_TESTS if (t.optimizer, t.test["id"], t.group.get("dtype")) == where]
    return check(adapter, test)


class KnowsTheUpdate:
    """An AlphaMask that need not read the inner optimizer's direction from a rounded parameter."""

    def moved(self, theta, u):
        self.u = u

    def read(self, theta, moved):
        return self.u


class KnowsTheUpdateOfSGD(KnowsTheUpdate, NumpyAlphaMaskSGD):
    pass


class KnowsTheUpdateOfLion(KnowsTheUpdate, NumpyAlphaMaskLion):
    pass


@pytest.mark.parametrize(
    "adapter", [NumpyAlphaAdam, NumpyAlphaMaskSGD, NumpyAlphaMaskLion, KnowsTheUpdateOfSGD, KnowsTheUpdateOfLion]
)
def test_a_correct_implementation_passes(adapter):
    tests = [test for test in ALL_TESTS if test.optimizer == adapter.optimizer]
    outcomes = [check(adapter(), test) for test in tests]
    assert {(o.id, o.dtype): o.message for o in outcomes if o.outcome not in ("pass", "skipped")} == {}
    skipped = {(o.id.split("/")[1], o.message) for o in outcomes if o.outcome == "skipped"}
    assert skipped <= {
        ("complex", "real tensors only"),
        ("absent-gradients-one-count", "each tensor counts its own steps"),
    }


@pytest.mark.parametrize("mistake", WRONG, ids=described)
def test_every_mistake_is_caught_by_a_named_test(mistake):
    test_id, dtype, quantity = WRONG[mistake]
    outcome = one(mistake(), test_id, dtype)
    assert outcome.outcome == "fail"
    assert f": {quantity}[" in outcome.message


def test_lion_that_is_not_installed_is_skipped_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "lion_pytorch", None)
    outcome = one(create("torch")["AlphaMaskLion"], "async-norm/fifth-step")
    assert outcome.outcome == "skipped"
    assert outcome.message.startswith("lion-pytorch is not installed. Run: python -m pip install")


def test_a_failure_says_what_its_flags_say_is_the_usual_cause():
    mistake = next(m for m in WRONG if m.__name__ == "MaskFromAProduct")
    message = one(mistake(), "cautious/product-underflows").message
    assert message.startswith(
        "step 1 of 1: mask[0] differs in 2 of 4 elements, first at element [0]: expected 1, got 0"
    )
    assert "ProductUnderflow: Code that multiplies and compares with 0 masks the coordinate" in message


def test_what_an_adapter_cannot_observe_is_not_reported_rather_than_passed():
    class Blind(NumpyAlphaAdam):
        def step(self, gradients, lr):
            return Observation(super().step(gradients, lr).params)

    outcome = one(Blind(), "alphaadam/fifth-step")
    assert outcome.outcome == "pass"
    assert outcome.notReported == ["mask", "m", "v", "alpha"]
    assert set(outcome.largestUlp) == {"params"}


def test_an_exception_is_an_error_with_its_traceback():
    class Broken(NumpyAlphaAdam):
        def step(self, gradients, lr):
            raise RuntimeError("no such kernel")

    outcome = one(Broken(), "alphaadam/fifth-step")
    assert outcome.outcome == "error"
    assert "RuntimeError: no such kernel" in outcome.message


def test_what_an_implementation_does_not_offer_is_skipped_with_its_reason():
    class WithoutDecay(NumpyAlphaAdam):
        def construct(self, hyperparameters):
            if hyperparameters["weight_decay"]:
                raise UnsupportedError("no weight decay")
            super().construct(hyperparameters)

    assert one(WithoutDecay(), "alphaadam/no-weight-decay").outcome == "pass"
    outcome = one(WithoutDecay(), "alphaadam/fifth-step")
    assert (outcome.outcome, outcome.message) == ("skipped", "no weight decay")


@pytest.mark.parametrize(
    ("error", "expected"), [(None, "fail"), (ValueError, "pass"), (TypeError, "pass"), (ZeroDivisionError, "error")]
)
def test_invalid_hyperparameters_must_be_rejected_by_a_value_or_type_error(error, expected):
    class Constructing(NumpyAlphaAdam):
        def construct(self, hyperparameters):
            if error:
                raise error

    invalid = [test for test in TESTS if test.group["type"] == "InvalidHyperparameters"]
    assert {check(Constructing(), test).outcome for test in invalid} == {expected}


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda p: p.astype("float64"), "params[0] is float64 of shape (2, 3), expected float32 of shape (2, 3)"),
        (lambda p: p.ravel(), "params[0] is float32 of shape (6,), expected float32 of shape (2, 3)"),
    ],
)
def test_a_result_of_the_wrong_dtype_or_shape_fails(spoil, problem):
    class Spoiling(NumpyAlphaAdam):
        def step(self, gradients, lr):
            seen = super().step(gradients, lr)
            return Observation([spoil(p) for p in seen.params], seen.m, seen.v, seen.mask, seen.alpha)

    assert problem in one(Spoiling(), "adamw/first-step").message


def test_subnormals_may_be_kept_or_flushed_but_not_mixed():
    class Flushing(NumpyAlphaAdam):
        def load(self, dtype, params, m, v, step):
            super().load(dtype, params, [flush(x) for x in m], [flush(x) for x in v], step)

        def step(self, gradients, lr):
            return super().step([flush(g) for g in gradients], lr)

    class Mixing(Flushing):
        def step(self, gradients, lr):
            return NumpyAlphaAdam.step(self, gradients, lr)

    def flush(x):
        x = x.copy()
        x[abs(x) < 1e-37] = 0
        return x

    assert one(NumpyAlphaAdam(), "alphaadam/subnormal").outcome == "pass"
    assert one(Flushing(), "alphaadam/subnormal").outcome == "pass"
    assert one(Mixing(), "alphaadam/subnormal").outcome == "fail"
