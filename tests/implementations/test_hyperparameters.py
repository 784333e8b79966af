"""Errors name the argument, the value and the remedy, in the words of the framework that called."""

import math
from fractions import Fraction

import pytest

from alphaadam import _hyperparameters as checks


@pytest.mark.parametrize("value", [0, 0.0, 1e-3, 5, Fraction(1, 3)])
def test_finite_numbers_from_zero_up_are_accepted(value):
    checks.check_nonnegative("lr", value, "1e-3")


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf])
def test_a_number_out_of_range_is_a_value_error(value):
    with pytest.raises(ValueError) as error:
        checks.check_nonnegative("learning_rate", value, "1e-3")
    assert str(error.value) == (
        f"AlphaAdam: learning_rate={value!r} is not valid. Pass a finite number >= 0, for example learning_rate=1e-3."
    )


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1]])
def test_something_that_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match="weight_decay="):
        checks.check_nonnegative("weight_decay", value, "0.01")


@pytest.mark.parametrize("value", [1, 1.0, -0.1, math.nan])
def test_betas_are_below_one(value):
    with pytest.raises(ValueError, match=r"b1=.*Pass a number in \[0, 1\)"):
        checks.check_beta("b1", value, "0.9")


def test_a_misspelt_rule_is_told_what_it_may_have_meant():
    with pytest.raises(ValueError) as error:
        checks.check_masking("asynch")
    assert str(error.value) == (
        "AlphaAdam: masking='asynch' is not valid. Pass one of 'async', 'sync', 'none' (did you mean 'async'?)."
    )


@pytest.mark.parametrize(("alpha", "alpha_max"), [("norm", 1), ("count", 1e6), (0.5, None), (2, None), ("norm", None)])
def test_valid_strengths(alpha, alpha_max):
    checks.check_alpha(alpha, alpha_max)


@pytest.mark.parametrize(
    ("alpha", "alpha_max", "error", "message"),
    [
        (0.0, None, ValueError, "alpha=0.0"),
        (math.inf, None, ValueError, "alpha=inf"),
        (True, None, TypeError, "alpha=True"),
        ("nrom", None, ValueError, "did you mean 'norm'"),
        (1.0, 2.0, ValueError, "alpha_max=2.0.*alpha_max=None"),
        ("norm", 0.99, ValueError, "alpha_max=0.99"),
        ("norm", math.inf, ValueError, "alpha_max=inf"),
        ("count", True, TypeError, "alpha_max=True"),
    ],
)
def test_invalid_strengths(alpha, alpha_max, error, message):
    with pytest.raises(error, match=message):
        checks.check_alpha(alpha, alpha_max)


def test_each_rule_has_its_own_cap_unless_one_is_given():
    assert checks.alpha_cap("norm", None) == 2
    assert checks.alpha_cap("count", None) == 1000
    assert checks.alpha_cap("count", 3) == 3
