"""Exact arithmetic, and the same with the roundings of a dtype put in by chance, which shows what they can do.

A rule passes the result of every operation (or short formula) through :class:`Arithmetic`. Exactly, nothing happens to
it. With noise it is changed by up to one unit of roundoff in either direction: Monte Carlo arithmetic (Parker 1997).
How far the results of several noisy runs lie from the exact one is what an implementation may be off, whatever the
rule: power iterations and quantisation included, for which no error analysis by hand would be believed.
"""

import random
from collections.abc import Sequence

import mpmath
from mpmath import mpf

from suite.reference.formats import Format

#: Least distance of a number from where a decision turns, relative to the sizes that are compared.
MARGIN = mpf(2) ** -10


class IllConditionedError(ValueError):
    """A case in which rounding may decide; its data are to be changed."""


class Arithmetic:
    """How numbers are computed and stored.

    Args:
        stored: The format of parameters and state.
        noise: None computes exactly; else the source of chance.
    """

    def __init__(self, stored: Format, noise: random.Random | None = None) -> None:
        self.stored = stored
        self._noise = noise

    def __call__(self, value: mpf) -> mpf:
        """The result of an operation."""
        return value + self.error(value)

    def error(self, size: mpf) -> mpf:
        """An error of up to one roundoff of something of this size; exactly, 0."""
        if self._noise is None or not size:
            return mpf(0)
        return size * self.stored.unit_roundoff * mpf(self._noise.uniform(-1, 1))

    def store(self, values: Sequence[mpf]) -> list[mpf]:
        """Numbers as they are stored: rounded, after what an operation did to them."""
        return [self.stored.round(self(value)) for value in values]

    def total(self, terms: Sequence[mpf]) -> mpf:
        """A sum, whose error grows with the root of the number of its terms, in whatever order they are added."""
        exact = sum(terms, mpf(0))
        return exact + self.error(sum(map(abs, terms), mpf(0)) * mpf(max(1, len(terms))) ** 0.5)

    def bias_correction(self, beta: mpf, t: int) -> mpf:
        """``1 - beta**t``: to two ulp, and not better than from a power in double precision, as hosts compute it."""
        power = beta**t
        correction = 1 - power
        if self._noise is None:
            return correction
        return correction + 2 * self.error(correction) + power * mpf(2) ** -52 * mpf(self._noise.uniform(-1, 1))

    def decided(self, value: mpf, boundary: mpf, size: mpf, margin: mpf = MARGIN) -> bool:
        """Whether ``value > boundary``, refusing a case in which they are too close to tell.

        Args:
            value: What is compared.
            boundary: With what.
            size: How large the numbers are that ``value`` was computed from.
            margin: How near the two may be, relative to that size.

        Raises:
            IllConditionedError: They are closer than that.
        """
        if self._noise is None and abs(value - boundary) < margin * abs(size):
            raise IllConditionedError(f"{float(value)!r} is too close to {float(boundary)!r} to be decided")
        return value > boundary

    def nearest(self, value: mpf) -> mpf:
        """The whole number nearest to ``value``, refusing a case in which two are too close to tell."""
        whole = mpmath.floor(value)
        return whole + 1 if self.decided(value - whole, mpf(0.5), mpf(1)) else whole

    def rounded(self, value: mpf, to: Format) -> mpf:
        """``value`` in a coarser format, refusing a case in which it lies between two numbers of that."""
        spacing = to.spacing(value)
        return self.nearest(value / spacing) * spacing
