"""Numbers at the ends of a format, and no numbers at all."""

import math
from collections.abc import Iterator

from suite.cases.model import FULL, HALF, SETTINGS, Case, vector
from suite.cases.notes import notes

OPTIMIZER = "AlphaAdam"
HEADER = [
    "Gradients that are tiny, huge, infinite or NaN, and an eps that dominates the denominator.",
    "An error must be loud: a NaN reaches the parameter even where the mask is 0, and with the norm rule all of them.",
]
NOTES = notes("NonFinite", "SquareOverflow", "NormUnderflow", "Subnormal")

_PARAMS = (vector(1.0, -0.5, 2.0, 0.75),)
_M = (vector(0.5, -0.25, 0.75, -1.0),)
_V = (vector(0.25, 0.5, 0.125, 1.0),)


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        for what, value in (("nan", math.nan), ("infinity", math.inf), ("negative-infinity", -math.inf)):
            yield Case(
                f"{name}/{what}-gradient",
                f"one gradient is {value}; its coordinate has a history",
                setting,
                _PARAMS,
                [(vector(0.5, value, -0.5, -0.25),)],
                m=_M,
                v=_V,
                step=6,
                flags=("NonFinite",),
                dtypes=FULL + HALF,
            )
        yield Case(
            f"{name}/nan-gradient-at-first-step",
            "a NaN where nothing is masked",
            setting,
            _PARAMS,
            [(vector(0.5, math.nan, -0.5, -0.25),)],
            flags=("NonFinite",),
        )
        yield Case(
            f"{name}/eps-dominates",
            "the update is nearly the moment itself",
            {**setting, "eps": 1.0, "lr": 0.125},
            _PARAMS,
            [(vector(2e-3, -1e-3, 3e-3, -1e-3),)],
            m=(vector(1e-3, 2e-3, 1e-3, -2e-3),),
            v=(vector(1e-6, 2e-6, 3e-6, 1e-6),),
            step=6,
        )
        yield Case(
            f"{name}/tiny-gradients",
            "squares that are subnormal in float32, or 0",
            setting,
            _PARAMS,
            [(vector(1e-20, -2e-20, 1e-22, -1e-24),)],
            flags=("Subnormal",),
        )
        yield Case(
            f"{name}/huge-gradients",
            "the largest gradients whose squares float32 holds",
            setting,
            _PARAMS,
            [(vector(1e18, -2e18, 5e17, -1e17),)],
            m=_M,
            v=_V,
            step=6,
        )
        yield Case(
            f"{name}/square-overflows",
            "the square overflows float32; times (1 - beta2) it would not",
            setting,
            _PARAMS,
            [(vector(1e20, -0.5, 0.5, -0.25),)],
            m=_M,
            v=_V,
            step=6,
            flags=("SquareOverflow",),
            dtypes=("float32",),
        )
        yield Case(
            f"{name}/second-moment-overflows",
            "the second moment is infinite, and its coordinate does not move",
            setting,
            _PARAMS,
            [(vector(1e30, -0.5, 0.5, -0.25),)],
            m=_M,
            v=_V,
            step=6,
            dtypes=("float32", "bfloat16"),
        )
        yield Case(
            f"{name}/norm-underflows",
            "every square of the update is 0 in float32",
            {**setting, "eps": 1.0},
            _PARAMS,
            [(vector(2e-25, -1e-25, 1e-25, 3e-25),)],
            m=(vector(1e-25, 2e-25, 1e-25, 1e-25),),
            v=(vector(0.0, 0.0, 0.0, 0.0),),
            step=6,
            flags=("NormUnderflow",) if setting["alpha"] == "norm" else (),
            dtypes=("float32",),
        )
