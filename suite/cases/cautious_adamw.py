"""Cautious AdamW: AdamW that moves only where new moment and gradient agree, scaled by the share of those."""

from collections.abc import Iterator

from suite.cases.model import Case
from suite.cases.stock import stock_cases

OPTIMIZER = "CautiousAdamW"
HEADER = [
    "Cautious AdamW, for either place of eps: the published code has both, on different paths.",
    "The rule is AlphaAdam's with masking sync and alpha count; the fraction that divides the mask is at least 1e-3.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    return stock_cases()
