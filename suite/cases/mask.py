"""The mask alone: which coordinates agree with their history, and what alpha makes of an empty or a full mask."""

from collections.abc import Iterator

from suite.cases.model import SETTINGS, Case, Tensor, vector

HEADER = [
    "Cases that decide the mask: agreement, disagreement, zeros, no history, and products that underflow.",
    "The mask is exact: it is a function of the stored moment and the gradient (async), or kept away from 0 (sync).",
]
NOTES: dict[str, dict[str, object]] = {
    "ProductUnderflow": {
        "kind": "Numerical",
        "description": "The product of moment and gradient is positive but below the smallest number of the dtype.",
        "effect": "An implementation that multiplies and compares with 0 masks the coordinate. The sign of the product "
        "is decided by the two signs.",
        "links": [],
    },
}

_PARAMS = (vector(1.0, -0.5, 2.0, 0.75),)
_V = (vector(0.25, 0.5, 0.125, 1.0),)

_SITUATIONS: list[tuple[str, str, Tensor, Tensor]] = [
    (
        "all-agree",
        "every gradient has its moment's sign: alpha is exactly 1",
        vector(0.5, -0.25, 0.75, -1.0),
        vector(0.25, -1.0, 2.0, -0.5),
    ),
    (
        "none-agrees",
        "every gradient opposes a larger moment: the mask selects nothing and alpha is its cap",
        vector(0.5, -0.25, 0.75, -1.0),
        vector(-0.25, 0.5, -1.0, 0.5),
    ),
    (
        "one-agrees",
        "alpha is at its cap where the one selected coordinate is small",
        vector(0.5, -0.25, 0.0625, -1.0),
        vector(-0.25, 0.5, 0.03125, 0.5),
    ),
    (
        "zero-gradients-with-history",
        "a zero gradient agrees with no history; the old moment still moves an unmasked setting",
        vector(0.5, -0.25, 0.75, -1.0),
        vector(0.0, 0.0, 0.0, 0.0),
    ),
    (
        "zero-moment",
        "a coordinate without history is not masked by async, whatever its gradient's sign",
        vector(0.0, 0.0, 0.75, -1.0),
        vector(0.5, -0.25, -1.0, -0.5),
    ),
    (
        "zero-moment-and-zero-gradient",
        "a coordinate without history and gradient is selected by async, and does not move",
        vector(0.0, 0.0, 0.75, -1.0),
        vector(0.0, -0.25, 1.0, 0.5),
    ),
    (
        "new-moment-turns",
        "the gradient outweighs the history: the old moment masks it, the new one does not",
        vector(0.03125, -0.03125, 0.75, -1.0),
        vector(-4.0, 2.0, 1.0, -0.5),
    ),
]

#: Moment and gradient per dtype whose product underflows; each is far from the smallest number itself.
TINY = {"float32": 1e-25, "float64": 1e-200}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        for what, comment, m, gradient in _SITUATIONS:
            yield Case(f"{name}/{what}", comment, setting, _PARAMS, [(gradient,)], m=(m,), v=_V, step=6)
        yield Case(
            f"{name}/all-gradients-zero-without-history",
            "nothing has moved yet: u is 0, and alpha is not 0/0",
            setting,
            _PARAMS,
            [(vector(0.0, 0.0, 0.0, 0.0),)],
        )


def dtype_cases(dtype: str) -> Iterator[Case]:
    """Cases whose data depend on the dtype."""
    tiny = TINY[dtype]
    for name, setting in SETTINGS.items():
        yield Case(
            f"{name}/product-underflows",
            "two coordinates agree, two disagree, and every product of a tiny pair is 0 in the dtype",
            setting,
            _PARAMS,
            [(vector(tiny, -tiny / 4, -tiny / 8, 0.5),)],
            m=(vector(tiny, tiny * 2, -tiny, 0.5),),
            v=_V,
            step=6,
            flags=("ProductUnderflow",),
        )
