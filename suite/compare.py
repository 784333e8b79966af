"""Comparing what an implementation reports with what the oracle expects or another one reports, in units in the last
place (ulp)."""

from collections.abc import Sequence
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
    actual, expected = _parts(actual), _parts(expected)
    dtype = expected.dtype
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(actual - expected)
        ulps = np.where(distance <= absolute, 0.0, distance / _spacing(expected, dtype))
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    ulps = np.where(same, 0.0, np.where(np.isfinite(actual) & np.isfinite(expected), ulps, np.inf))
    index = np.unravel_index(int(np.argmax(ulps)), ulps.shape)
    return Difference(float(ulps[index]), tuple(map(int, index)), expected[index].item(), actual[index].item())


def apart(first: np.ndarray, second: np.ndarray, absolute: float = 0.0) -> float:
    """Measure how far two arrays of one dtype and shape are apart, of which neither is what was expected.

    As :func:`difference`, in units in the last place of whichever of two elements is the larger.
    """
    first, second = _parts(first), _parts(second)
    larger = np.abs(first) >= np.abs(second)
    return difference(np.where(larger, second, first), np.where(larger, first, second), absolute).ulp


def _parts(array: np.ndarray) -> np.ndarray:
    """A complex element as two."""
    return np.stack([array.real, array.imag], axis=-1) if np.iscomplexobj(array) else array


def _spacing(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Distance from each finite ``|value|`` to the next larger number of ``dtype``, in float64."""
    info = ml_dtypes.finfo(dtype)
    exponents = np.frexp(values)[1] - 1
    exponents = np.where(values == 0, info.minexp, np.maximum(exponents, info.minexp))
    return np.ldexp(1.0, exponents - info.nmant)


class Course:
    """How far parameters are from where they should be, relative to how far they should have gone.

    Args:
        start: Each tensor before the first step.
        either: Whether none of two is what was expected: a tensor's way is then that of the one that goes further.
    """

    def __init__(self, start: Sequence[np.ndarray], either: bool = False) -> None:
        self._either = either
        self._start = [_real(tensor) for tensor in start]
        self._way = [0.0] * len(start)
        self._distance = [0.0] * len(start)

    def relative(self, actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float | None:
        """The largest distance so far, each relative to the longest way of its tensor so far.

        Args:
            actual: The tensors that are there after a step; those that join later may be missing.
            expected: What they should be.

        Returns:
            None as long as nothing was to move and nothing did; infinite where something moved that should not, or is
            not finite where it should be.
        """
        for index, (seen, wanted) in enumerate(zip(map(_real, actual), map(_real, expected), strict=False)):
            if seen.shape != wanted.shape or not wanted.size:
                continue
            fits = (seen == wanted) | (np.isnan(seen) & np.isnan(wanted))
            with np.errstate(invalid="ignore", over="ignore"):
                far = np.where(fits, 0.0, np.abs(seen - wanted))
                moved = np.abs(wanted - self._start[index])
                if self._either:
                    moved = np.fmax(moved, np.abs(seen - self._start[index]))
            self._distance[index] = max(self._distance[index], float(np.where(np.isnan(far), np.inf, far).max()))
            self._way[index] = max(self._way[index], float(np.where(np.isfinite(moved), moved, 0.0).max()))
        parts = [
            distance / way if way else float("inf")
            for distance, way in zip(self._distance, self._way, strict=True)
            if way or distance
        ]
        return max(parts, default=None)


def _real(array: np.ndarray) -> np.ndarray:
    """In float64, a complex element as two."""
    return _parts(np.asarray(array)).astype(np.float64)
