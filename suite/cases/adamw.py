"""AdamW: AlphaAdam without mask, and what the frameworks ship."""

from collections.abc import Iterator

from suite.cases.model import Case
from suite.cases.stock import stock_cases

OPTIMIZER = "AdamW"
HEADER = [
    "AdamW with decoupled weight decay, for either place of eps: after bias correction as in PyTorch and Optax, or",
    "before it as in Keras. The rule is AlphaAdam's with masking none and alpha 1.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    return stock_cases()
