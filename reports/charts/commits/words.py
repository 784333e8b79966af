"""How the chapter, the answers and the terminal name a series and write a change."""

import math

from reports.sources.asv_history import Commit, Series


def percent(change: float) -> str:
    """A relative change, such as "+12 %"."""
    if math.isinf(change):
        return "from 0"
    if change == 0:
        return "0 %"
    share = 100 * change
    return f"{share:+.1f} %" if abs(share) < 9.95 else f"{share:+,.0f} %"


def named(series: Series) -> str:
    """The benchmark with its parameters, the optimizer apart."""
    others = ", ".join(f"{name} {value}" for name, value in series.parameters if name != "optimizer")
    return f"{series.benchmark} ({others})" if others else series.benchmark


def titled(commit: Commit) -> str:
    """A commit's short hash and its subject."""
    return f"{commit.name[:8]} {commit.subject}".strip()
