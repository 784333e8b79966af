"""Rounding to a format, against NumPy's own, which rounds correctly from float64 to float32."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from suite.reference.formats import STORED


@given(st.floats(allow_nan=False))
def test_float32_rounding_is_numpys(value):
    with np.errstate(over="ignore"):
        expected = float(np.float32(value))
    assert float(STORED["float32"].round(mpf(value))) == expected


@given(st.floats(allow_nan=False))
def test_a_double_is_its_own_float64(value):
    assert float(STORED["float64"].round(mpf(value))) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 + mpf(2) ** -24, 1.0),  # a tie goes to the even neighbour
        (1 + 3 * mpf(2) ** -24, 1 + 2**-22),
        (1 + mpf(2) ** -24 + mpf(2) ** -90, 1 + 2**-23),  # just above the tie: no double rounding
        (mpf(2) ** -150, 0.0),
        (3 * mpf(2) ** -151, 2**-149),
        (mpf(2) ** 128 - mpf(2) ** 103, float("inf")),
    ],
)
def test_ties_subnormals_and_overflow_of_float32(value, expected):
    assert float(STORED["float32"].round(value)) == expected


@given(st.floats(allow_nan=False, width=32))
def test_half_precision_rounding_is_that_of_ml_dtypes(value):
    """From float32, so that neither side rounds twice."""
    for name, dtype in (("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)):
        with np.errstate(over="ignore"):
            assert float(STORED[name].round(mpf(value))) == float(np.float32(value).astype(dtype))


def test_flushing_takes_subnormals_alone():
    smallest = mpf(2) ** -126
    assert STORED["float32"].flush(smallest) == smallest
    assert STORED["float32"].flush(-smallest / 2) == 0
