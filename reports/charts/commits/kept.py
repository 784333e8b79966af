"""What the page keeps of a series; page and terminal both judge by it, so that rounding cannot make them disagree."""

import functools
import itertools
import math
from typing import NamedTuple

from reports.charts.commits.steps import Level, Trend, trend


class Kept(NamedTuple):
    """A series, rounded where its scatter leaves no meaning.

    Attributes:
        digits: how many significant digits are kept.
        values: one per commit.
        scatter: as in its trend, to three digits; None where too few values show it.
        jump: the largest difference of two neighbouring values on one level, relative to the smaller of the two:
            what has happened without a change, however the values are distributed. Infinite from 0.
    """

    digits: int
    values: tuple[float | None, ...]
    scatter: float | None
    jump: float


@functools.lru_cache(maxsize=4096)  # as `trend`
def kept(values: tuple[float | None, ...]) -> Kept:
    """What is kept of a series' values."""
    found = trend(values)
    digits = significant_digits(found)
    short = tuple(rounded(value, digits) for value in values)
    scatter = None if found.scatter is None else float(f"{found.scatter:.3g}")
    return Kept(digits, short, scatter, max((_jump(short, level) for level in found.levels), default=0.0))


def rounded(value: float | None, digits: int) -> float | int | None:
    """A value to so many significant digits."""
    if value is None:
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def significant_digits(found: Trend) -> int:
    """How many digits of a series are kept: those down to a hundredth of its scatter, and five in any case.

    Values that hardly scatter, and those of which that is not known, are kept to ten digits.
    """
    if not found.scatter:
        return 10
    return min(10, max(5, math.ceil(2 - math.log10(found.scatter))))


def _jump(values: tuple[float | None, ...], level: Level) -> float:
    present = [value for value in values[level.first : level.last + 1] if value is not None]
    return max((_apart(*pair) for pair in itertools.pairwise(present)), default=0.0)


def _apart(one: float, other: float) -> float:
    if one == other:
        return 0.0
    smaller = min(abs(one), abs(other))
    return abs(other - one) / smaller if smaller else math.inf
