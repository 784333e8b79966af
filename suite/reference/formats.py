"""IEEE 754 binary formats: rounding an exact number to a dtype, to nearest, ties to even."""

from dataclasses import dataclass

import mpmath
from mpmath import mpf

# Enough for every product of two doubles to be exact; roots and quotients are rounded 200 bits beyond any format.
mpmath.mp.prec = 256


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        precision: Significant bits, the implicit one included.
        min_exponent: Exponent of the smallest normal number.
        max_exponent: Exponent of the largest finite number.
    """

    precision: int
    min_exponent: int
    max_exponent: int

    @property
    def unit_roundoff(self) -> mpf:
        """Largest relative error of rounding a number that is not subnormal: half an ulp of 1."""
        return mpmath.ldexp(1, -self.precision)

    def spacing(self, value: mpf) -> mpf:
        """Distance from ``|value|`` to the next larger number of the format: one ulp."""
        exponent = self.min_exponent if value == 0 else max(mpmath.frexp(value)[1] - 1, self.min_exponent)
        return mpmath.ldexp(1, exponent - self.precision + 1)  # at the bottom, subnormals share a spacing

    def round(self, value: mpf) -> mpf:
        """Return the number of this format nearest to ``value``; beyond the largest finite one, an infinity."""
        if value == 0 or not mpmath.isfinite(value):
            return value
        spacing = self.spacing(value)
        rounded = mpmath.nint(value / spacing) * spacing  # nint breaks ties to even
        if abs(rounded) >= mpmath.ldexp(1, self.max_exponent + 1):
            return mpf("inf") if rounded > 0 else mpf("-inf")
        return rounded

    def flush(self, value: mpf) -> mpf:
        """Return ``value``, or 0 for a subnormal number, as hardware does that flushes them."""
        return mpf(0) if abs(value) < mpmath.ldexp(1, self.min_exponent) else value


_FLOAT32 = Format(precision=24, min_exponent=-126, max_exponent=127)
_FLOAT64 = Format(precision=53, min_exponent=-1022, max_exponent=1023)

#: Where parameters and moments of a dtype are stored; complex numbers as two of these.
STORED = {
    "float32": _FLOAT32,
    "float64": _FLOAT64,
    "bfloat16": Format(precision=8, min_exponent=-126, max_exponent=127),
    "float16": Format(precision=11, min_exponent=-14, max_exponent=15),
    "complex64": _FLOAT32,
    "complex128": _FLOAT64,
}

#: What a step on a dtype computes in: half precision is only for storage.
COMPUTED = {dtype: _FLOAT32 if dtype in ("float16", "bfloat16") else stored for dtype, stored in STORED.items()}
