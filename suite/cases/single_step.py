"""One step from a stated prior state, for every setting: an error shows where it arises.

The data keep |m_t| above half the sum of its terms' sizes, so that 8 ulp hold for every sensible way to write the
moment update.
"""

from collections.abc import Iterator

from suite.cases.model import SETTINGS, Case, matrix, scalar, vector

HEADER = [
    "One step of AlphaAdam from a stated prior state, for the settings of the paper's ablation and Cautious AdamW.",
    "Every tensor has its own alpha.",
]
NOTES: dict[str, dict[str, object]] = {}

_PARAMS = (matrix([0.5, -1.25, 2.0], [1.5, -0.75, 0.875]), vector(1.0, -2.0, 0.625, -1.0))
_GRADIENTS = (matrix([0.25, -0.5, 1.5], [-0.03125, 0.0625, -2.0]), vector(-3.0, 0.375, -0.125, 0.5))
_M = (matrix([0.125, 0.25, 0.75], [0.5, -0.25, -0.375]), vector(-0.5, 0.25, 0.5, 0.0625))
_V = (matrix([0.0625, 0.25, 1.0], [0.5, 0.03125, 2.0]), vector(1.0, 0.125, 0.25, 0.015625))


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        yield from _cases_of(name, setting)
    yield Case(
        "alpha/number",
        "alpha is the number given, not a rule",
        {"masking": "async", "alpha": 0.375},
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=4,
    )
    for rule, cap in (("norm", 1.0625), ("count", 1.125)):
        yield Case(
            f"alpha/{rule}-at-its-cap",
            "the mask asks for more than alpha_max",
            {"masking": "async", "alpha": rule, "alpha_max": cap},
            _PARAMS,
            [_GRADIENTS],
            m=_M,
            v=_V,
            step=4,
        )
    yield Case(
        "alpha/count-async",
        "the count of selected coordinates is taken per tensor",
        {"masking": "async", "alpha": "count"},
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=4,
    )


def _cases_of(name: str, setting: dict[str, object]) -> Iterator[Case]:
    yield Case(f"{name}/first-step", "no history: the async mask selects everything", setting, _PARAMS, [_GRADIENTS])
    yield Case(
        f"{name}/fifth-step",
        "some coordinates agree with their history, some do not",
        setting,
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=4,
    )
    yield Case(
        f"{name}/no-weight-decay",
        "masked coordinates stay where they are",
        {**setting, "weight_decay": 0.0},
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=4,
    )
    yield Case(
        f"{name}/large-weight-decay",
        "decay reaches masked coordinates too, and is not scaled by alpha",
        {**setting, "weight_decay": 2.0, "lr": 0.015625},
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=4,
    )
    yield Case(
        f"{name}/large-eps",
        "eps is added to the root, after bias correction",
        {**setting, "eps": 0.125},
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
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
        f"{name}/late-step",
        "both bias corrections are near 1",
        setting,
        _PARAMS,
        [_GRADIENTS],
        m=_M,
        v=_V,
        step=99_999,
    )
    yield Case(
        f"{name}/zero-dimensional",
        "a tensor without dimensions beside two with; each has one alpha",
        setting,
        (scalar(1.5), vector(0.5, -0.5, 1.25), matrix([2.0], [-1.0])),
        [(scalar(-0.75), vector(0.5, 0.25, -1.0), matrix([1.0], [0.25]))],
        m=(scalar(-0.5), vector(0.25, -0.5, -0.125), matrix([0.375], [0.5])),
        v=(scalar(0.5), vector(0.25, 0.125, 0.5), matrix([0.75], [0.25])),
        step=2,
    )
    yield Case(
        f"{name}/other-betas",
        "betas that are not the defaults",
        {**setting, "beta1": 0.5, "beta2": 0.75},
        _PARAMS,
        [(matrix([2.0, -4.0, 0.25], [-0.125, 3.0, 8.0]), vector(4.0, -0.0625, 3.0, -0.5))],
        m=_M,
        v=_V,
        step=1,
    )
