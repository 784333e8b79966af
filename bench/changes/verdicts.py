"""What the launches of a comparison say: a test, an interval and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 0.01
"""Probability of finding a difference where there is none, for each case, whatever the noise."""
SMALLEST = 0.05
"""The smallest change that is worth a report: 5 %. Of smaller ones nobody can say whether the code or the place of the
code in memory is to blame."""
TRIMMED = 0.1
"""Part of the launches that the mean leaves out at each end. One launch in ten may have gone wild."""
FEWEST_LAUNCHES = 10
"""With fewer, nothing is left out, and one wild launch hides any change."""

SLOWER, FASTER, UNCHANGED = "slower", "faster", "no change shown"


@dataclass(frozen=True)
class Verdict:
    """What a case's launches say.

    Attributes:
        ratio: Head's seconds per step to base's.
        low: Lower end of the ratio's confidence interval of level 1 - `LEVEL`.
        high: Its upper end.
        p: The test's p-value.
        word: `SLOWER`, `FASTER` or `UNCHANGED`.
    """

    ratio: float
    low: float
    high: float
    p: float
    word: str


def verdict(logarithms: Sequence[float], smallest: float = SMALLEST) -> Verdict:
    """The exact randomization test of the trimmed mean over launches, and the interval that belongs to it.

    If both versions are the same, a launch's logarithm is as likely to be x as -x, since nothing but chance tells one
    process from the other. The test compares the trimmed mean with those of all 2^n choices of signs, and needs no more
    than that: its level holds for any noise. The interval holds the ratios that the test does not reject.

    Args:
        logarithms: For each launch, the logarithm of the ratio of head's to base's seconds.
        smallest: Relative changes below it are not called a change.

    Raises:
        ValueError: There are too few launches.
    """
    import numpy as np
    from scipy import stats

    if len(logarithms) < FEWEST_LAUNCHES:
        raise ValueError(f"{len(logarithms)} launches are too few for the test; {FEWEST_LAUNCHES} are enough")
    values = np.asarray(logarithms)
    centre = float(stats.trim_mean(values, TRIMMED))
    p = _p(values)
    low, high = (math.exp(_end(values, centre, sign)) for sign in (-1, 1))
    word = UNCHANGED
    if p <= LEVEL and not 1 / (1 + smallest) < math.exp(centre) < 1 + smallest:
        word = SLOWER if centre > 0 else FASTER
    return Verdict(math.exp(centre), low, high, p, word)


def _p(values: Any) -> float:
    """The test's p-value for a centre of 0."""
    from scipy import stats

    def trimmed(sample: Any, axis: int) -> Any:
        return stats.trim_mean(sample, TRIMMED, axis)

    everything = 2 ** len(values)
    found = stats.permutation_test(
        (values,), trimmed, permutation_type="samples", vectorized=True, n_resamples=everything, batch=2**14
    )
    return float(found.pvalue)


def _end(values: Any, centre: float, sign: int) -> float:
    """The farthest shift to one side that the test does not reject, to a ten-thousandth."""
    inside = 0.0
    outside = 2 * float(abs(values - centre).max()) + 1e-4  # farther than any value: every sign is against it
    while outside - inside > 1e-4:
        middle = (inside + outside) / 2
        if _p(values - centre - sign * middle) <= LEVEL:
            outside = middle
        else:
            inside = middle
    return centre + sign * inside


def proportion_interval(found: int, of: int) -> tuple[float, float]:
    """The exact binomial interval (Clopper and Pearson) of level 95 % for a proportion."""
    from scipy import stats

    interval = stats.binomtest(found, of).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
