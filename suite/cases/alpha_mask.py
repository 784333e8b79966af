"""Cases that every AlphaMask shares, whatever it is around: mask and alpha from its momentum and its move.

The data keep |m_t|, and what Lion takes the sign of, above half the sum of their terms' sizes: where momentum and
gradient disagree, one is 4 times or more the other's size, or less than 1/27.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from suite.cases.model import Case, InvalidCase, Tensor, block, empty, matrix, negated, scalar, vector
from suite.cases.notes import notes
from suite.cases.trajectory import STEPS, Moment, data, warmup_cosine

NOTES = notes(
    "AbsentGradient", "LateParameter", "NegativeZero", "NonFinite", "ProductUnderflow", "Subnormal", "ZeroRate"
)

#: The mask's settings, as in the ablation of AlphaAdam.
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"masking": "none", "alpha": 1.0},
    "sync-mask": {"masking": "sync", "alpha": 1.0},
    "async-mask": {"masking": "async", "alpha": 1.0},
    "async-norm": {"masking": "async", "alpha": "norm"},
    "sync-count": {"masking": "sync", "alpha": "count"},
}
_OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "none-norm": {"masking": "none", "alpha": "norm"},
    "none-number": {"masking": "none", "alpha": 0.375},
    "sync-norm": {"masking": "sync", "alpha": "norm"},
    "async-count": {"masking": "async", "alpha": "count"},
    "async-number": {"masking": "async", "alpha": 0.375},
    "norm-at-its-cap": {"masking": "async", "alpha": "norm", "alpha_max": 1.0625},
    "count-at-its-cap": {"masking": "async", "alpha": "count", "alpha_max": 1.125},
}

_PARAMS = (matrix([0.5, -1.25, 2.0], [1.5, -0.75, 0.875]), vector(1.0, -2.0, 0.625, -1.0))
_M = (matrix([0.125, 0.25, 0.75], [0.03125, -0.25, -0.375]), vector(-0.5, 0.25, 0.5, 0.0625))
_GRADIENTS = (matrix([0.25, -0.0625, 1.5], [-0.875, 0.0625, -2.0]), vector(-3.0, 0.375, -0.125, -1.75))

_ONE = (vector(1.0, -0.5, 2.0, 0.75),)
_HISTORY = vector(0.5, -0.25, 0.75, -1.0)

_SITUATIONS: list[tuple[str, str, Tensor, Tensor]] = [
    ("all-agree", "alpha is exactly 1", _HISTORY, vector(0.25, -1.0, 2.0, -0.5)),
    (
        "none-agrees",
        "the mask selects nothing: alpha is its cap, and decay is all that moves",
        _HISTORY,
        vector(-0.125, 0.0625, -0.1875, 0.25),
    ),
    ("one-agrees", "three of four are masked", vector(0.5, -0.25, 0.0625, -1.0), vector(-0.125, 0.0625, 0.03125, 0.25)),
    (
        "zero-gradients-with-history",
        "a zero gradient agrees with no history; the momentum still moves an unmasked setting",
        _HISTORY,
        vector(0.0, 0.0, 0.0, 0.0),
    ),
    (
        "zero-momentum",
        "a coordinate without history is not masked by async, whatever its gradient",
        vector(0.0, 0.0, 0.75, -1.0),
        vector(0.5, 0.0, -0.1875, -0.5),
    ),
    (
        "new-momentum-turns",
        "the gradient outweighs the history: the old momentum masks it, the new one does not",
        vector(0.0078125, -0.00390625, 0.75, -1.0),
        vector(-4.0, 2.0, 1.0, -0.5),
    ),
]

_TINY = {"float32": 1e-25, "float64": 1e-200}
_SUBNORMAL = {"float32": 2.0**-135, "float64": 2.0**-1060}


def step_cases(sign_of_nan: Sequence[str] = ()) -> Iterator[Case]:
    """Single steps.

    Args:
        sign_of_nan: The flag of an optimizer that takes signs, for tests with a NaN.
    """
    for name, setting in SETTINGS.items():
        yield from _cases_of(name, setting)
        yield from _situations(name, setting)
        for what, value in (("nan", math.nan), ("infinity", math.inf), ("negative-infinity", -math.inf)):
            yield Case(
                f"{name}/{what}-gradient",
                f"one gradient is {value}; its coordinate has a history",
                setting,
                _ONE,
                [(vector(0.5, value, -0.1875, -0.25),)],
                m=(_HISTORY,),
                step=6,
                flags=("NonFinite", *(sign_of_nan if value != value else ())),
            )
        yield Case(
            f"{name}/nan-gradient-at-first-step",
            "a NaN where nothing is masked",
            setting,
            _ONE,
            [(vector(0.5, math.nan, -0.5, -0.25),)],
            flags=("NonFinite", *sign_of_nan),
        )
    for name, setting in _OTHER_SETTINGS.items():
        yield _later(name, "fifth-step", "a combination beside the ablation", setting)


def _later(name: str, what: str, comment: str, setting: dict[str, Any], **fields: Any) -> Case:
    arguments: dict[str, Any] = {"params": _PARAMS, "gradients": [_GRADIENTS], "m": _M, "step": 4, **fields}
    return Case(f"{name}/{what}", comment, setting, **arguments)


def _cases_of(name: str, setting: dict[str, Any]) -> Iterator[Case]:
    yield Case(f"{name}/first-step", "no history: the async mask selects everything", setting, _PARAMS, [_GRADIENTS])
    yield _later(name, "fifth-step", "some coordinates agree with their history, some do not", setting)
    yield _later(name, "no-weight-decay", "masked coordinates stay where they are", {**setting, "weight_decay": 0.0})
    yield _later(
        name,
        "large-weight-decay",
        "decay reaches masked coordinates too, is not scaled by alpha, and no part of momentum or move",
        {**setting, "weight_decay": 2.0, "lr": 0.015625},
    )
    yield _later(
        name,
        "large-step",
        "parameters change their size and sign, so theta + (theta_I - theta) need not be theta_I",
        {**setting, "lr": 0.75, "weight_decay": 0.0},
    )
    yield _later(
        name,
        "large-parameters",
        "a move beside a large parameter is known to half an ulp of the parameter",
        {**setting, "lr": 0.0625},
        params=(matrix([500.0, -1250.0, 2000.0], [1500.0, -750.0, 875.0]), vector(1000.0, -2000.0, 625.0, -100.0)),
    )
    yield _later(
        name,
        "lr-zero",
        "nothing moves, decay included, but the momentum",
        {**setting, "weight_decay": 0.5},
        lrs=[0.0],
        flags=("ZeroRate",) if setting["alpha"] == "norm" else (),
    )
    yield _later(
        name,
        "maximize",
        "the gradient is negated before the mask sees it",
        {**setting, "maximize": True},
        gradients=[tuple(map(negated, _GRADIENTS))],
    )
    yield Case(
        f"{name}/shapes",
        "an empty tensor, one without dimensions, vectors, a matrix and a 4-d tensor; each has one alpha",
        setting,
        (empty(), scalar(1.5), vector(0.5, -0.5, 1.25), matrix([2.0], [-1.0]), block(1.0, -0.75, 0.5, -1.5)),
        [(empty(), scalar(-0.75), vector(0.5, 0.125, -1.0), matrix([1.0], [0.25]), block(-0.125, 0.5, 2.0, -0.1875))],
        m=(empty(), scalar(-0.5), vector(0.25, -0.5, -0.125), matrix([0.375], [0.5]), block(0.5, 0.25, 0.5, 0.75)),
        step=2,
    )


def _situations(name: str, setting: dict[str, Any]) -> Iterator[Case]:
    for what, comment, m, gradient in _SITUATIONS:
        yield Case(f"{name}/{what}", comment, setting, _ONE, [(gradient,)], m=(m,), step=6)
    yield Case(
        f"{name}/all-gradients-zero-without-history",
        "nothing has moved yet: u is 0, and alpha is not 0/0",
        setting,
        _ONE,
        [(vector(0.0, 0.0, 0.0, 0.0),)],
    )
    yield Case(
        f"{name}/negative-zeros",
        "-0.0 is no history and no direction",
        setting,
        _ONE,
        [(vector(-0.0, 0.5, -0.0, -0.5),)],
        m=(vector(0.5, -0.0, -0.0, -0.75),),
        step=6,
        flags=("NegativeZero",),
    )
    for dtype, tiny in _TINY.items():
        yield Case(
            f"{name}/product-underflows",
            "two coordinates agree, two disagree, and every product of a tiny pair is 0 in the dtype",
            setting,
            _ONE,
            [(vector(tiny, -tiny / 4, -tiny / 8, 0.5),)],
            m=(vector(tiny, tiny * 2, -tiny, 0.5),),
            step=6,
            flags=("ProductUnderflow",),
            dtypes=(dtype,),
        )
    for dtype, subnormal in _SUBNORMAL.items():
        yield Case(
            f"{name}/subnormal",
            "a subnormal momentum is a history, unless the hardware flushes it",
            setting,
            _ONE,
            [(vector(0.5, -0.25, subnormal, 0.5),)],
            m=(vector(subnormal, subnormal, 0.75, 0.5),),
            step=6,
            flags=("Subnormal",),
            dtypes=(dtype,),
        )


def trajectory_cases(hyperparameters: dict[str, Any], kind: Moment) -> Iterator[Case]:
    """Free runs, with gradients that keep this kind of momentum away from 0."""
    for name, setting in SETTINGS.items():
        params, gradients = data(7, [kind])
        yield Case(
            f"{name}/warmup-cosine",
            "a learning-rate schedule with weight decay; the last rate is 0 and moves nothing",
            {**setting, **hyperparameters, "weight_decay": 0.25},
            params,
            gradients,
            lrs=[warmup_cosine(step) for step in range(STEPS)],
            flags=("ZeroRate",) if setting["alpha"] == "norm" else (),
        )
        params, gradients = data(397, [kind])  # this seed's momentum stays away from 0 without the absent ones too
        absent = [
            [
                None if (index == 1 and step % 3 == 1) or (index == 3 and step < 4) else g
                for index, g in enumerate(tensors)
            ]
            for step, tensors in enumerate(gradients)
        ]
        yield Case(
            f"{name}/absent-gradients-and-a-late-parameter",
            "the second tensor has no gradient in every third step and stays as it is; the last is added after four",
            {**setting, **hyperparameters},
            params,
            absent,
            joins=[1, 1, 1, 5],
            flags=("AbsentGradient", "LateParameter"),
        )


def invalid_cases() -> Iterator[InvalidCase]:
    """Hyperparameters of the mask, and the decay, which is not the inner optimizer's."""
    for what, value in {"negative": -1e-3, "nan": math.nan, "infinite": math.inf}.items():
        yield InvalidCase(f"weight_decay/{what}", "weight_decay is a finite number >= 0", {"weight_decay": value})
    yield InvalidCase("masking/misspelt", "masking is 'async', 'sync' or 'none'", {"masking": "asinc"})
    yield InvalidCase("alpha/misspelt", "alpha is 'norm', 'count' or a finite number > 0", {"alpha": "nrom"})
    yield InvalidCase("alpha/zero", "alpha is 'norm', 'count' or a finite number > 0", {"alpha": 0.0})
    yield InvalidCase("alpha_max/below-one", "alpha_max is null or a finite number >= 1", {"alpha_max": 0.5})
    yield InvalidCase("alpha_max/with-a-number", "a number as alpha has no cap", {"alpha": 1.0, "alpha_max": 2.0})
