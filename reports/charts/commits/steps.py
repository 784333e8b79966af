"""Where a series changed, found by asv's step detection, and how much it scatters.

asv fits a piecewise constant function to the series and weighs each step against the scatter about it. Compared with
Apache Otava 0.8, on series with and without one step of 8 to 15 %, marks of 5 % or more in both:

| series | detector | steps | at the commit | within 3 | missed | false |
|---|---|---|---|---|---|---|
| 40 of 200 commits, 1 or 2 % normal noise | asv | 40 | 40 | 0 | 0 | 0 |
| | Otava | 40 | 40 | 0 | 0 | 2 |
| the same, one value in twenty five times as far off | asv | 40 | 38 | 2 | 0 | 0 |
| | Otava | 40 | 37 | 3 | 0 | 43 |
| 20 of 1,000 commits, 1 or 2 % normal noise | asv | 20 | 20 | 0 | 0 | 0 |
| | Otava | 20 | 19 | 1 | 0 | 1 |
| the same, one value in twenty five times as far off | asv | 20 | 20 | 0 | 0 | 0 |
| | Otava | 20 | 20 | 0 | 0 | 126 |

Otava is three to four times as fast (0.03 s against 0.1 s for 1,000 commits), but takes single outliers for changes,
brings the clients of clouds and chats with it, and asks for one release of numpy.
"""

import functools
import math
from typing import NamedTuple

from asv.step_detect import detect_steps

THRESHOLD = 0.05
"""Smaller changes are not marked. Larger is always worse in these benchmarks."""

ENOUGH = 8
"""From fewer values, beyond one for each level, nothing is said about a series' scatter."""


class Mark(NamedTuple):
    """A change of level.

    Attributes:
        at: the number of the first commit of the new level.
        since: the number of the last commit before it that has a value: the change came with one of those between.
        before: the level that it is compared with, in the series' unit.
        after: the new level.
        values: how many values the new level rests on.
    """

    at: int
    since: int
    before: float
    after: float
    values: int

    @property
    def change(self) -> float:
        """Relative to the level before; infinite from 0."""
        return relative(self.before, self.after)


class Level(NamedTuple):
    """A stretch of commits, from the first to the last that has a value, and the median of their values."""

    first: int
    last: int
    value: float


class Trend(NamedTuple):
    """What the detector makes of a series.

    Attributes:
        levels: the fitted function.
        marks: the changes that are shown.
        scatter: about one standard deviation of a value from its level, relative to the level; None where too few
            values show it.
    """

    levels: tuple[Level, ...]
    marks: tuple[Mark, ...]
    scatter: float | None


def relative(before: float, after: float) -> float:
    """The change as a share of the value before."""
    if before == after:
        return 0.0
    return (after - before) / abs(before) if before else math.copysign(math.inf, after)


@functools.lru_cache(maxsize=4096)  # a page that is served is made again and again from nearly the same results
def trend(values: tuple[float | None, ...]) -> Trend:
    """Levels, marks and scatter of a series; None is a missing value.

    A change is marked where a level differs from the one after the last mark by `THRESHOLD` or more, and by more than
    the mean distance of the values from either: so slow drift is marked where it has become large. A level of a single
    value counts only where it is the newest: any other is an outlier.
    """
    present = [(number, value) for number, value in enumerate(values) if value is not None]
    if not present:
        return Trend((), (), None)
    # asv's search does not end where sums of values overflow.
    size = max(abs(value) for _, value in present) or 1.0
    steps = detect_steps([None if value is None else value / size for value in values])
    levels = [Level(left, right - 1, value * size) for left, right, value, _, _ in steps]
    counts = [sum(level.first <= number <= level.last for number, _ in present) for level in levels]

    # A level of one value is an outlier, unless it is the newest: then more may follow.
    lasting = [place for place, count in enumerate(counts) if count > 1 or place == len(counts) - 1]
    marks = []
    before = lasting[0]
    numbers = [number for number, _ in present]
    for place in lasting[1:]:
        low, high = levels[before].value, levels[place].value
        distance = max(steps[before][4], steps[place][4]) * size
        if abs(relative(low, high)) >= THRESHOLD and abs(high - low) > distance:
            first = levels[place].first
            marks.append(Mark(first, numbers[numbers.index(first) - 1], low, high, counts[place]))
            before = place
    return Trend(tuple(levels), tuple(marks), _scatter(present, levels))


def _scatter(present: list[tuple[int, float]], levels: list[Level]) -> float | None:
    free = len(present) - len(levels)
    if free < ENOUGH:
        return None
    by_commit = [level for level in levels for number, _ in present if level.first <= number <= level.last]
    off = [
        abs(value - level.value) / abs(level.value)
        for (_, value), level in zip(present, by_commit, strict=True)
        if level.value
    ]
    # The mean distance from the mean of normal values is sqrt(2/pi) = 0.8 standard deviations.
    return math.sqrt(math.pi / 2) * sum(off) / free
