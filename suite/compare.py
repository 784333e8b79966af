"""Comparing what an implementation reports with what the oracle expects, in units in the last place (ulp)."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Difference:
    """The largest difference between an array and what was expected.

    Attributes:
        ulp: Largest distance in units in the last place of the expected value; infinite if one side is not finite and
            the other differs. Elements within the absolute floor count as 0.
        index: Where, as an index into the array.
        expected: The value expected there.
        actual: The value found there.
    """

    ulp: float
    index: tuple[int, ...]
    expected: Any
    actual: Any


def difference(actual: np.ndarray, expected: np.ndarray, absolute: float = 0.0) -> Difference:
    """Measure how far ``actual`` is from ``expected``, two arrays of one floating or complex dtype and shape.

    A NaN equals a NaN, an infinity an infinity of the same sign. Distances are computed in float64 (for float64 by an
    exact subtraction of close numbers), so that they are not rounded to the dtype that they judge. A complex element is
    compared as two numbers; the index then has a last part, 0 for the real and 1 for the imaginary one.
    """
    if expected.size == 0:
        return Difference(0.0, (), None, None)
    if np.iscomplexobj(expected):
        actual, expected = (np.stack([x.real, x.imag], axis=-1) for x in (actual, expected))
    dtype = expected.dtype
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(actual - expected)
        ulps = np.where(distance <= absolute, 0.0, distance / _spacing(expected, dtype))
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    ulps = np.where(same, 0.0, np.where(np.isfinite(actual) & np.isfinite(expected), ulps, np.inf))
    index = np.unravel_index(int(np.argmax(ulps)), ulps.shape)
    return Difference(float(ulps[index]), tuple(map(int, index)), expected[index].item(), actual[index].item())


def _spacing(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Distance from each finite ``|value|`` to the next larger number of ``dtype``, in float64."""
    info = ml_dtypes.finfo(dtype)
    exponents = np.frexp(values)[1] - 1
    exponents = np.where(values == 0, info.minexp, np.maximum(exponents, info.minexp))
    return np.ldexp(1.0, exponents - info.nmant)
