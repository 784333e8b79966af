"""Means with Student's intervals, paired differences and Holm's correction, where a result file holds none."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy import stats


class Interval(NamedTuple):
    """A mean of n values and Student's confidence interval for it; None where there are too few values."""

    n: int
    mean: float | None
    low: float | None
    high: float | None


NOTHING = Interval(0, None, None, None)


class Difference(NamedTuple):
    """The mean of paired differences, p of the t-test that it is 0, and p among several such tests made at once."""

    interval: Interval
    p: float | None
    p_holm: float | None

    @property
    def within_noise(self) -> bool:
        """Whether the pairs do not show which of both is larger."""
        low, high = self.interval.low, self.interval.high
        return low is None or high is None or low <= 0 <= high or self.p_holm is None or self.p_holm >= 0.05


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and interval; one value alone has no interval."""
    if len(values) < 2:
        return Interval(len(values), values[0] if values else None, None, None)
    mean = statistics.fmean(values)
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return Interval(len(values), mean, mean - half, mean + half)


def differences(of: Mapping[str, Sequence[float]], confidence: float = 0.95) -> dict[str, Difference]:
    """What each row of paired differences shows, when all of them are looked at together."""
    p_values = {name: _p(values) for name, values in of.items()}
    adjusted = _holm(p_values)
    return {
        name: Difference(interval(values, confidence), p_values[name], adjusted[name]) for name, values in of.items()
    }


def _p(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    if not deviation:  # t would be 0/0 or infinite
        return 0.0 if mean else 1.0
    # Not by scipy's test, which warns of differences that are nearly the same: here that is no mistake.
    return float(2 * stats.t.sf(abs(mean) / deviation * math.sqrt(len(values)), len(values) - 1))


def _holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    largest = 0.0
    for rank, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[name] = largest
    return adjusted
