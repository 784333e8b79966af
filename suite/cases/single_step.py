"""One step from a stated prior state, for every setting: an error shows where it arises.

The data keep |m_t| above half the sum of its terms' sizes, so that 8 ulp hold for every sensible way to write the
moment update.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from suite.cases.model import (
    COMPLEX,
    FULL,
    HALF,
    OTHER_SETTINGS,
    SETTINGS,
    Case,
    block,
    empty,
    matrix,
    negated,
    scalar,
    vector,
)

OPTIMIZER = "AlphaAdam"
HEADER = [
    "One step of AlphaAdam from a stated prior state, for the settings of the paper's ablation and Cautious AdamW.",
    "Every tensor has its own alpha.",
]
NOTES: dict[str, dict[str, object]] = {}

_PARAMS = (matrix([0.5, -1.25, 2.0], [1.5, -0.75, 0.875]), vector(1.0, -2.0, 0.625, -1.0))
_GRADIENTS = (matrix([0.25, -0.5, 1.5], [-0.03125, 0.0625, -2.0]), vector(-3.0, 0.375, -0.125, 0.5))
_M = (matrix([0.125, 0.25, 0.75], [0.5, -0.25, -0.375]), vector(-0.5, 0.25, 0.5, 0.0625))
_V = (matrix([0.0625, 0.25, 1.0], [0.5, 0.03125, 2.0]), vector(1.0, 0.125, 0.25, 0.015625))


_PRIOR: dict[str, Any] = {"m": _M, "v": _V}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        yield from _cases_of(name, setting)
    for name, setting in OTHER_SETTINGS.items():
        yield Case(
            f"{name}/fifth-step", "a combination beside the ablation", setting, _PARAMS, [_GRADIENTS], **_PRIOR, step=4
        )
    for rule, cap in (("norm", 1.0625), ("count", 1.125)):
        yield Case(
            f"alpha/{rule}-at-its-cap",
            "the mask asks for more than alpha_max",
            {"masking": "async", "alpha": rule, "alpha_max": cap},
            _PARAMS,
            [_GRADIENTS],
            **_PRIOR,
            step=4,
        )


def _cases_of(name: str, setting: dict[str, Any]) -> Iterator[Case]:
    yield Case(
        f"{name}/first-step",
        "no history: the async mask selects everything",
        setting,
        _PARAMS,
        [_GRADIENTS],
        dtypes=FULL + HALF,
    )

    def later(what: str, comment: str, step: int = 4, dtypes: Sequence[str] = FULL, **changes: Any) -> Case:
        return Case(
            f"{name}/{what}", comment, {**setting, **changes}, _PARAMS, [_GRADIENTS], **_PRIOR, step=step, dtypes=dtypes
        )

    yield later("second-step", "the bias correction of the second moment is largest with a history", step=1)
    yield later("fifth-step", "some coordinates agree with their history, some do not", dtypes=FULL + HALF)
    yield later("late-step", "both bias corrections are near 1", step=99_999, dtypes=FULL + HALF)
    yield later("very-late-step", "powers of the betas underflow: both bias corrections are 1", step=9_999_999)
    yield later("no-weight-decay", "masked coordinates stay where they are", weight_decay=0.0)
    yield later(
        "large-weight-decay",
        "decay reaches masked coordinates too, and is not scaled by alpha",
        weight_decay=2.0,
        lr=0.015625,
        dtypes=FULL + HALF,
    )
    yield later("large-eps", "eps is added to the root, after bias correction", eps=0.125)
    yield later("no-eps", "eps may be 0 where no second moment is", eps=0.0)
    yield later("lr-zero", "nothing moves, decay included, but the moments", lr=0.0, weight_decay=0.5)
    yield Case(
        f"{name}/maximize",
        "the gradient is negated before the mask sees it",
        {**setting, "maximize": True},
        _PARAMS,
        [tuple(map(negated, _GRADIENTS))],
        **_PRIOR,
        step=4,
    )
    yield Case(
        f"{name}/small-gradients-at-first-step",
        "gradients near eps: the place of eps shows most where the bias correction is largest",
        {**setting, "lr": 0.0625},
        (vector(1.0, -0.5),),
        [(vector(3e-7, -2e-8),)],
    )
    yield Case(
        f"{name}/shapes",
        "an empty tensor, one without dimensions, vectors, a matrix and a 4-d tensor; each has one alpha",
        setting,
        (empty(), scalar(1.5), vector(0.5, -0.5, 1.25), matrix([2.0], [-1.0]), block(1.0, -0.75, 0.5, -1.5)),
        [(empty(), scalar(-0.75), vector(0.5, 0.25, -1.0), matrix([1.0], [0.25]), block(-0.25, 0.5, 2.0, -0.5))],
        m=(empty(), scalar(-0.5), vector(0.25, -0.5, -0.125), matrix([0.375], [0.5]), block(0.5, 0.25, 0.5, 0.75)),
        v=(empty(), scalar(0.5), vector(0.25, 0.125, 0.5), matrix([0.75], [0.25]), block(0.25, 0.5, 0.5, 1.0)),
        step=2,
        dtypes=FULL + HALF,
    )
    yield Case(
        f"{name}/other-betas",
        "betas that are not the defaults",
        {**setting, "beta1": 0.5, "beta2": 0.75},
        _PARAMS,
        [(matrix([2.0, -4.0, 0.25], [-0.125, 3.0, 8.0]), vector(4.0, -0.0625, 3.0, -0.5))],
        **_PRIOR,
        step=1,
    )
    yield Case(
        f"{name}/beta1-zero",
        "the first moment is the gradient: its bias correction is 1, not 1 - 0^0",
        {**setting, "beta1": 0.0},
        _PARAMS,
        [_GRADIENTS],
        **_PRIOR,
        step=4,
    )
    yield Case(
        f"{name}/complex",
        "real and imaginary part are coordinates of their own, in mask, norms and count",
        setting,
        (vector(1.0 + 0.5j, -0.75 + 2.0j), scalar(0.5 - 1.0j)),
        [(vector(0.5 - 1.0j, 2.0 + 0.25j), scalar(-0.125 + 0.5j))],
        m=(vector(0.25 + 0.5j, 0.125 - 0.5j), scalar(-0.5 - 0.25j)),
        v=(vector(0.5 + 0.25j, 1.0 + 0.125j), scalar(0.25 + 0.5j)),
        step=4,
        dtypes=COMPLEX,
    )
