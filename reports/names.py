"""What the reader sees for each framework and optimizer: label, colour, dash and marker, the same everywhere.

To give a new optimizer or framework its own look, add one line here.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple


class Look(NamedTuple):
    """How one optimizer is drawn; dash and marker repeat what the colour says, for who cannot see it."""

    label: str
    colour: str
    dash: tuple[int, ...]
    marker: str


# Frameworks in the order of the page. One that has no result file is shown as missing, not left out.
FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras"}

# Colours of Okabe and Ito, told apart in the common forms of colour blindness; these three keep a contrast
# of at least 3:1 both on white and on the dark background.
OPTIMIZERS = {
    "adamw": Look("AdamW", "#d55e00", (6, 3), "square"),
    "alphaadam": Look("AlphaAdam", "#0072b2", (), "circle"),
    "cautious-adamw": Look("Cautious AdamW", "#009e73", (2, 2), "triangle-up"),
}


def framework_label(name: str) -> str:
    """The framework's name as readers know it, or the name in the result file if it is a new one."""
    return FRAMEWORKS.get(name, name)


def look(optimizer: str) -> Look:
    """How `optimizer` is drawn; one that is not listed above is grey and keeps its own name."""
    return OPTIMIZERS.get(optimizer, Look(optimizer, "#767676", (8, 2, 2, 2), "diamond"))


def optimizer_label(name: str) -> str:
    """The optimizer's name as readers know it."""
    return look(name).label


def in_order(names: Iterable[str], known: Collection[str]) -> list[str]:
    """`names` without repetition: those in `known` first and in its order, then the others by name."""
    unique = set(names)
    return [name for name in known if name in unique] + sorted(unique.difference(known))


def listing(words: list[str], last: str = " and ") -> str:
    """Joins words as a sentence does: "a", "a and b", "a, b and c"."""
    return last.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
