"""How the chapter, the answers and the terminal name a series and write a change."""

import math

from reports.sources.asv_history import Commit, Series
from reports.tables import significant


def percent(change: float) -> str:
    """A relative change, such as "+12 %"."""
    if math.isinf(change):
        return "from 0"
    if change == 0:
        return "0 %"
    share = 100 * change
    return f"{share:+.1f} %" if abs(share) < 9.95 else f"{share:+,.0f} %"


def with_unit(value: float, unit: str) -> str:
    """A value with its unit, seconds with the prefix that the page would choose."""
    if unit != "seconds" or value == 0:
        return f"{significant(value)} {unit}".strip()
    scales = ((1, "s"), (1e3, "ms"), (1e6, "µs"))
    factor, symbol = next((scale for scale in scales if abs(value) * scale[0] >= 1), (1e9, "ns"))
    return f"{significant(value * factor)} {symbol}"


def named(series: Series) -> str:
    """The benchmark with its parameters, the optimizer apart."""
    others = ", ".join(f"{name} {value}" for name, value in series.parameters if name != "optimizer")
    return f"{series.benchmark} ({others})" if others else series.benchmark


def titled(commit: Commit) -> str:
    """A commit's short hash and its subject."""
    return f"{commit.name[:8]} {commit.subject}".strip()
