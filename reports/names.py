"""What the reader sees for each framework and optimizer: label, colour, dash and marker, the same everywhere.

To give a new optimizer or framework its own look, add one line here.
"""

import hashlib
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

# Each has a contrast of at least 3:1 both on white and on the dark background, and the seven stay apart in the common
# forms of colour blindness (a test computes both). The first three are of Okabe and Ito's palette.
BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
LILAC, VIOLET, PINK, SLATE = "#a878fc", "#9c00fc", "#cc78b4", "#606c60"
COLOURS = (BLUE, VERMILION, GREEN, LILAC, VIOLET, PINK, SLATE)

# A marker that Vega has no name for: its outline, from -1 to 1.
STAR = "M0,-1L0.3,-0.3L1,0L0.3,0.3L0,1L-0.3,0.3L-1,0L-0.3,-0.3Z"

# In the order of the page. The first seven, which are drawn together most often, have a colour each. There are no more
# colours that everybody tells apart, so the others share these: of one colour no two have the same dash or marker.
OPTIMIZERS = {
    "adamw": Look("AdamW", VERMILION, (6, 3), "square"),
    "alphaadam": Look("AlphaAdam", BLUE, (), "circle"),
    "cautious-adamw": Look("Cautious AdamW", GREEN, (2, 2), "triangle-up"),
    "adamw-sm": Look("AdamW+SM", VIOLET, (9, 2), "triangle-down"),
    "adamw-am": Look("AdamW+AM", LILAC, (4, 2), "diamond"),
    "lion": Look("Lion", PINK, (8, 2, 2, 2), "cross"),
    "sgd": Look("SGD", SLATE, (1, 2), STAR),
    "adam-8bit": Look("8-bit AdamW", VERMILION, (2, 2), "triangle-down"),
    "adam-mini": Look("Adam-mini", VERMILION, (9, 2), "diamond"),
    "microadam": Look("MicroAdam", VERMILION, (1, 2), "cross"),
    "one-bit-adam": Look("1-bit Adam", VERMILION, (8, 2, 2, 2), STAR),
    "exadam": Look("EXAdam", VERMILION, (12, 2, 1, 2), "triangle-up"),
    "adan": Look("Adan", GREEN, (6, 3), "square"),
    "galore": Look("GaLore", GREEN, (9, 2), "diamond"),
    "ldadam": Look("LDAdam", GREEN, (1, 2), "cross"),
    "sophia": Look("Sophia", GREEN, (8, 2, 2, 2), STAR),
    "mgup": Look("MGUP", VIOLET, (2, 2), "square"),
    "mgup-adamw": Look("MGUP-AdamW", VIOLET, (6, 3), "cross"),
    "muon": Look("Muon", SLATE, (6, 3), "square"),
    "conda": Look("Conda", SLATE, (9, 2), "diamond"),
    "root": Look("ROOT", SLATE, (8, 2, 2, 2), "triangle-up"),
    "alphamask-sgd": Look("AlphaMask on SGD", BLUE, (1, 2), STAR),
    "alphamask-lion": Look("AlphaMask on Lion", BLUE, (8, 2, 2, 2), "cross"),
    "alphamask-adan": Look("AlphaMask on Adan", BLUE, (6, 3), "square"),
    "alphamask-muon": Look("AlphaMask on Muon", BLUE, (9, 2), "diamond"),
}

# What the suite's vectors call an optimizer.
VECTORS = {
    "adamw": "AdamW",
    "alphaadam": "AlphaAdam",
    "cautious-adamw": "CautiousAdamW",
    "lion": "Lion",
    "sgd": "SGD",
    "adam-8bit": "Adam8bit",
    "adam-mini": "AdamMini",
    "microadam": "MicroAdam",
    "one-bit-adam": "OneBitAdam",
    "exadam": "EXAdam",
    "adan": "Adan",
    "galore": "GaLore",
    "ldadam": "LDAdam",
    "sophia": "Sophia",
    "mgup": "MGUP",
    "muon": "Muon",
    "conda": "Conda",
    "root": "ROOT",
    "alphamask-sgd": "AlphaMaskSGD",
    "alphamask-lion": "AlphaMaskLion",
    "alphamask-adan": "AlphaMaskAdan",
}

SETTINGS = {"adamw-sm": "sync-mask", "adamw-am": "async-mask"}
"""Of AlphaAdam's settings that have no vectors of their own: what the ids of its tests with this setting begin with."""

# Markers that none of the above has, and dashes of six parts, of which none of the above has so many.
_MARKERS_OF_OTHERS = ("triangle-left", "triangle-right", "wedge", "arrow")


def framework_label(name: str) -> str:
    """The framework's name as readers know it, or the name in the result file if it is a new one."""
    return FRAMEWORKS.get(name, name)


def look(optimizer: str) -> Look:
    """How `optimizer` is drawn; one that is not listed above has a look that its name alone decides."""
    return OPTIMIZERS.get(optimizer) or _look_of_other(optimizer)


def _look_of_other(name: str) -> Look:
    """One of 7 × 128 looks for lines and 7 × 4 for points, none of which a listed optimizer has."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    dash = (3 + digest[1] % 8, 2, 1 + digest[2] % 4, 2, 1 + digest[3] % 4, 2)
    return Look(name, COLOURS[digest[0] % len(COLOURS)], dash, _MARKERS_OF_OTHERS[digest[4] % len(_MARKERS_OF_OTHERS)])


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
