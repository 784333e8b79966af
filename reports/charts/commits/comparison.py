"""Two commits side by side: one rule for page, terminal and CI, which `commits-4-compare.js` applies too."""

import math
from typing import NamedTuple

from reports.charts.commits.steps import THRESHOLD, relative, trend
from reports.sources.asv_history import History, Series

DEVIATIONS = 3
"""A difference of two values that is smaller than this many of its standard deviations is within scatter."""

WORDS = {
    "worse": "worse",
    "better": "better",
    "scatter": "within scatter",
    "small": "below the threshold",
    "equal": "equal",
    "only-a": "only in A",
    "only-b": "only in B",
}
MOVED = ("worse", "better")


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
    """Every series that has a value at one of two commits, those that moved first, by how far they moved."""
    rows = []
    for series in history.series:
        before, after = series.values[a], series.values[b]
        if before is None and after is None:
            continue
        scatter = trend(series.values).scatter
        limit = None if scatter is None else DEVIATIONS * math.sqrt(2) * scatter
        if before is None or after is None:
            missing = series.missing[a if before is None else b]
            rows.append(Row(series, before, after, None, limit, "only-b" if before is None else "only-a", missing))
        else:
            change = relative(before, after)
            rows.append(Row(series, before, after, change, limit, verdict(change, limit, threshold), ""))
    return sorted(rows, key=_place)


def verdict(change: float, limit: float | None, threshold: float) -> str:
    """What a change is. Larger is worse; where the scatter is not known, the threshold alone decides."""
    if change == 0:
        return "equal"
    if limit is not None and abs(change) <= limit:
        return "scatter"
    if abs(change) < threshold:
        return "small"
    return "worse" if change > 0 else "better"


def _place(row: Row) -> tuple:
    """What moved, then what did not, then what is missing; twice as slow is as far as twice as fast."""
    if row.change is None:
        return (2, 0.0)
    far = abs(math.log1p(row.change)) if row.change > -1 else math.inf
    return (row.verdict not in MOVED, -far)
