"""Outcomes in symbols, words and counts."""

import math
from collections.abc import Iterable

from reports.sources.conformance import Conformance
from reports.sources.conformance_results import QUANTITIES, Result

MISSING, NOT_ASKED = "missing", "not-asked"
SYMBOLS = {
    "pass": "✓",
    "fail": "✗",
    "error": "!",
    MISSING: "?",
    "expected-deviation": "≈",
    "skipped": "–",
    NOT_ASKED: "",
}
"""By outcome, the worst of what is no pass first."""
WORDS = {
    **{outcome: outcome for outcome in SYMBOLS},
    "expected-deviation": "expected deviation",
    NOT_ASKED: "not asked",
}
BAD = ("fail", "error", MISSING)


def tally(conformance: Conformance, adapter: str) -> dict[str, int]:
    """How many results of one adapter have each outcome, the pass first; what it was not asked for is left out."""
    one = next(item for item in conformance.adapters if item.name == adapter)
    counts = dict.fromkeys(SYMBOLS, 0)
    for case, results in conformance.by_case.items():
        if adapter in results:
            counts[results[adapter].outcome] += 1
        elif conformance.missing(case, one):
            counts[MISSING] += 1
    return {outcome: count for outcome, count in counts.items() if count}


def largest(results: Iterable[Result]) -> dict[str, float]:
    """The largest distance of each quantity."""
    seen: dict[str, list[float]] = {}
    for result in results:
        for quantity, ulp in result.largest_ulp.items():
            seen.setdefault(quantity, []).append(ulp)
    # NaN comes out on top: it compares with nothing, and would vanish behind a small distance.
    return {name: max(seen[name], key=lambda ulp: (math.isnan(ulp), ulp)) for name in QUANTITIES if name in seen}


def ulp_words(ulp: float) -> str:
    """A distance as the page shows it."""
    return "∞" if math.isinf(ulp) else "NaN" if math.isnan(ulp) else f"{ulp:.3g}"
