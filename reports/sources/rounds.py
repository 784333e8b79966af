"""Rounds of two steps timed in turn: ratios of pairs of rounds, and their quartiles."""

import math
from typing import Any, NamedTuple

import numpy as np

from reports.sources.fields import number

SHORTEST, LONGEST = 1e-12, 1e9
"""Seconds that a step takes longer than, and less than."""
LARGEST = math.log(1e12)
"""A ratio beyond it, or beyond its inverse, is no ratio of two steps."""


class Quartiles(NamedTuple):
    """The middle half of some measurements."""

    lower: float
    median: float
    upper: float


def seconds(record: dict[str, Any], key: str) -> list[float]:
    """The seconds of each round.

    Raises:
        ValueError: They are missing, or are no times of whole pairs of rounds.
    """
    values = record.get(key)
    if not isinstance(values, list) or len(values) < 2 or len(values) % 2:
        raise ValueError(f"{key} is no list of an even number of rounds.")
    found = [value for value in map(number, values) if value is not None and SHORTEST < value < LONGEST]
    if len(found) != len(values):
        raise ValueError(f"{key} holds something other than seconds.")
    return found


def ratios(taken: list[float], to: list[float]) -> list[float]:
    """One ratio for every two rounds, in which each step came first once: the geometric mean of both rounds' ratios.

    Raises:
        ValueError: The rounds are no pairs, or no two steps differ as much as these.
    """
    if len(taken) != len(to):
        raise ValueError(f"It has {len(taken)} rounds of the step, and {len(to)} of the step beside it.")
    single = [math.log(one) - math.log(other) for one, other in zip(taken, to, strict=True)]
    logarithms = [(one + other) / 2 for one, other in zip(single[::2], single[1::2], strict=True)]
    if max(map(abs, logarithms)) > LARGEST:
        raise ValueError("Its seconds cannot be times of steps: some ratio is beyond all measure.")
    return [math.exp(value) for value in logarithms]


def quartiles(values: list[float]) -> Quartiles:
    """Lower quartile, median and upper quartile, between two values by a straight line."""
    lower, median, upper = map(float, np.percentile(values, (25, 50, 75)))
    return Quartiles(lower, median, upper)
