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

    def round(self, value: mpf) -> mpf:
        """Return the number of this format nearest to ``value``; beyond the largest finite one, an infinity."""
        if value == 0 or not mpmath.isfinite(value):
            return value
        exponent = max(mpmath.frexp(value)[1] - 1, self.min_exponent)  # at the bottom, subnormals share a spacing
        spacing = mpmath.ldexp(1, exponent - self.precision + 1)
        rounded = mpmath.nint(value / spacing) * spacing  # nint breaks ties to even
        if abs(rounded) >= mpmath.ldexp(1, self.max_exponent + 1):
            return mpf("inf") if rounded > 0 else mpf("-inf")
        return rounded


FORMATS = {
    "float32": Format(precision=24, min_exponent=-126, max_exponent=127),
    "float64": Format(precision=53, min_exponent=-1022, max_exponent=1023),
}
