"""Two commits side by side: one rule for page, terminal and CI, which `commits-4-compare.js` applies too.

Besides the threshold and the standard deviations, a difference must be larger than every difference of two neighbouring
values on one level of the series: noise has heavier tails than the normal distribution. So two neighbours on one level
are never called a change. In synthetic histories of 200 series (tests/reports/synthetic_history.py), with a threshold
of 5 %, by standard deviations alone and by both:

| | 1,000 commits | 230 commits |
|---|---|---|
| of 200 pairs of neighbours in the 160 series without a change, those with a "worse" | 132, now 0 | 125, now 0 |
| of 200 pairs at random in these, those with a "worse" | 150, now 10 | 124, now 42 |
| planted changes found in the two commits around them | 61 of 61, now 27 | 62 of 63, now 44 |

Of changes of 8 % it finds 1 of 16 and 6 of 18, of 30 % all: single values there lie 5 % and more off. The marks
(`steps.py`), which rest on the whole series, find all 61.
"""

import math
from typing import NamedTuple

from reports.charts.commits.kept import Kept, kept
from reports.charts.commits.steps import THRESHOLD, relative
from reports.sources.asv_history import History, Series

DEVIATIONS = 3
"""A difference of two values that is smaller than this many of its standard deviations is within scatter."""

WORDS = {
    "worse": "worse",
    "failed": "failed at B",
    "better": "better",
    "scatter": "within scatter",
    "small": "below the threshold",
    "equal": "equal",
    "unjudged": "not judged",
    "only-a": "only in A",
    "only-b": "only in B",
}
MOVED = ("worse", "better")
FIRST = ("worse", "failed", "better")
"""What stands first, in this order."""


class Row(NamedTuple):
    """One series at two commits.

    Attributes:
        series: what was measured.
        before: the value at A, None where it is missing.
        after: the value at B.
        change: relative to A; None where either is missing.
        limit: what two values of this series differ by without a reason; None where its scatter is not known.
        verdict: a key of `WORDS`.
        missing: why one of the values is missing.
    """

    series: Series
    before: float | None
    after: float | None
    change: float | None
    limit: float | None
    verdict: str
    missing: str


def compare(history: History, a: int, b: int, threshold: float = THRESHOLD) -> list[Row]:
    """Every series that has a value at one of two commits: worse, failed, better, each by how far, then the others."""
    rows = []
    for series in history.series:
        own = kept(series.values)
        before, after = own.values[a], own.values[b]
        if before is None and after is None:
            continue
        limit = _limit(own)
        if before is None or after is None:
            missing = series.missing[a if before is None else b]
            lost = "failed" if missing == "failed" and judged(series) else "only-a"
            rows.append(Row(series, before, after, None, limit, "only-b" if before is None else lost, missing))
        else:
            change = relative(before, after)
            what = verdict(change, limit, threshold) if judged(series) else "unjudged"
            rows.append(Row(series, before, after, change, limit, what, ""))
    return sorted(rows, key=_place)


def judged(series: Series) -> bool:
    """Whether larger is worse: a spread says how noisy a measurement was, not how good what it measured is."""
    return not series.benchmark.endswith("_spread")


def verdict(change: float, limit: float | None, threshold: float) -> str:
    """What a change is. Larger is worse; where the scatter is not known, the threshold alone decides."""
    if change == 0:
        return "equal"
    if limit is not None and abs(change) <= limit:
        return "scatter"
    if abs(change) < threshold:
        return "small"
    return "worse" if change > 0 else "better"


def _limit(own: Kept) -> float | None:
    if own.scatter is None:
        return None
    # Of the page's operations these two give the same bits everywhere; `hypot` does not.
    return max(DEVIATIONS * math.sqrt(own.scatter * own.scatter + own.scatter * own.scatter), own.jump)


def _place(row: Row) -> tuple:
    """What moved or failed, then what did not, then what is missing; twice as slow is as far as twice as fast."""
    group = FIRST.index(row.verdict) if row.verdict in FIRST else len(FIRST) + (row.change is None)
    if row.change is None:
        return (group, 0.0)
    far = abs(math.log1p(row.change)) if row.change > -1 else math.inf
    return (group, -far)
