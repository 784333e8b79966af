"""The mask alone: which coordinates agree with their history, and what alpha makes of an empty or a full mask."""

from collections.abc import Iterator

from suite.cases.model import FULL, HALF, SETTINGS, Case, Tensor, vector
from suite.cases.notes import notes

OPTIMIZER = "AlphaAdam"
HEADER = [
    "Cases that decide the mask: agreement, disagreement, zeros, no history, and products that underflow.",
    "The mask is exact: it is a function of the stored moment and the gradient (async), or kept away from 0 (sync).",
]
NOTES = notes("ProductUnderflow", "NegativeZero", "MaskBoundary", "Subnormal")

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
_TINY = {"float32": 1e-25, "bfloat16": 1e-25, "float16": 2.0**-14, "float64": 1e-200}

_SUBNORMAL = {"float32": 2.0**-135, "float64": 2.0**-1060}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        for what, comment, m, gradient in _SITUATIONS:
            yield Case(
                f"{name}/{what}", comment, setting, _PARAMS, [(gradient,)], m=(m,), v=_V, step=6, dtypes=FULL + HALF
            )
        yield Case(
            f"{name}/all-gradients-zero-without-history",
            "nothing has moved yet: u is 0, and alpha is not 0/0",
            setting,
            _PARAMS,
            [(vector(0.0, 0.0, 0.0, 0.0),)],
            dtypes=FULL + HALF,
        )
        for dtype, tiny in _TINY.items():
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
                dtypes=(dtype,),
            )
        yield Case(
            f"{name}/negative-zeros",
            "-0.0 is no history and no direction",
            setting,
            _PARAMS,
            [(vector(-0.0, 0.5, -0.0, -0.5),)],
            m=(vector(0.5, -0.0, -0.0, -0.75),),
            v=_V,
            step=6,
            flags=("NegativeZero",),
        )
        yield Case(
            f"{name}/new-moment-is-zero",
            "history and news cancel exactly: the new moment has no sign",
            {**setting, "beta1": 0.5},
            _PARAMS,
            [(vector(-0.5, 0.25, 1.0, -0.5),)],
            m=(vector(0.5, -0.25, 0.75, -1.0),),
            v=_V,
            step=6,
            flags=("MaskBoundary",),
            ill_conditioned=True,
        )
        for dtype, subnormal in _SUBNORMAL.items():
            yield Case(
                f"{name}/subnormal",
                "a subnormal moment is a history, unless the hardware flushes it",
                setting,
                _PARAMS,
                [(vector(0.5, -0.25, subnormal, 0.5),)],
                m=(vector(subnormal, subnormal, 0.75, 0.5),),
                v=_V,
                step=6,
                flags=("Subnormal",),
                dtypes=(dtype,),
            )
