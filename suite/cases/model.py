"""What a case is before the oracle has answered it, and the settings that topics share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.reference.baselines import BASELINES, defaults

FULL = ("float32", "float64")
HALF = ("bfloat16", "float16")
COMPLEX = ("complex64", "complex128")

_COMMON: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.01,
    "maximize": False,
}

#: Optimizer -> its hyperparameters where a case does not say otherwise.
DEFAULTS: dict[str, dict[str, Any]] = {
    "AlphaAdam": {**_COMMON, "masking": "async", "alpha": "norm", "alpha_max": None},
    "AdamW": {**_COMMON, "eps_placement": "after-bias-correction"},
    "CautiousAdamW": {**_COMMON, "eps_placement": "after-bias-correction"},
    "AlphaMaskSGD": {
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.01,
        "maximize": False,
        "masking": "async",
        "alpha": "norm",
        "alpha_max": None,
    },
    "AlphaMaskLion": {
        "lr": 0.01,
        "beta1": 0.9,
        "beta2": 0.99,
        "weight_decay": 0.01,
        "maximize": False,
        "masking": "async",
        "alpha": "norm",
        "alpha_max": None,
    },
    **{name: defaults(name) for name in BASELINES},
}

#: The paper's ablation (its Table 3), and Cautious AdamW, as settings of one optimizer.
SETTINGS: dict[str, dict[str, Any]] = {
    "adamw": {"masking": "none", "alpha": 1.0},
    "sync-mask": {"masking": "sync", "alpha": 1.0},
    "async-mask": {"masking": "async", "alpha": 1.0},
    "alphaadam": {"masking": "async", "alpha": "norm"},
    "cautious": {"masking": "sync", "alpha": "count"},
}

#: The combinations that the ablation leaves out. Without a mask every rule's alpha is 1.
OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "sync-norm": {"masking": "sync", "alpha": "norm"},
    "async-count": {"masking": "async", "alpha": "count"},
    "none-norm": {"masking": "none", "alpha": "norm"},
    "none-count": {"masking": "none", "alpha": "count"},
    "none-number": {"masking": "none", "alpha": 0.375},
    "sync-number": {"masking": "sync", "alpha": 1.5},
    "async-number": {"masking": "async", "alpha": 0.375},
}

#: Least |m_t| / (|b1 m_{t-1}| + |(1-b1) g|). Near 0, three ways to write the moment update give three signs to a sync
#: mask, and no number of ulp holds for m_t; one step has no reason to come close.
SINGLE_STEP_CONDITIONING = 1 / 2
TRAJECTORY_CONDITIONING = 1 / 16


@dataclass(frozen=True)
class Tensor:
    """A tensor: its shape and its elements in row-major order, as doubles that the dtype will round."""

    shape: tuple[int, ...]
    data: tuple[float | complex, ...]


@dataclass(frozen=True)
class Case:
    """A case of one or more steps.

    Attributes:
        id: Unique within its file and dtype, ``setting/what``.
        comment: What the case is there to see.
        hyperparameters: Those that differ from :data:`DEFAULTS`.
        params: Initial parameters.
        gradients: Per step, per tensor; None where a tensor has no gradient.
        m: Prior first moments, or None to start without history.
        v: Prior second moments, or None.
        step: Steps taken before this case.
        lrs: Learning rate per step, or None for the hyperparameter.
        joins: Per tensor the step, from 1, before which it is given to the optimizer; None is 1 for all.
        flags: Names of the notes that apply.
        dtypes: The dtypes that the case is generated for.
        ill_conditioned: The case is about cancellation: do not insist that new moments stay away from 0.
        inputs: Per step, what a baseline's step takes beside gradients, by name and per tensor.
    """

    id: str
    comment: str
    hyperparameters: dict[str, Any]
    params: Sequence[Tensor]
    gradients: Sequence[Sequence[Tensor | None]]
    m: Sequence[Tensor] | None = None
    v: Sequence[Tensor] | None = None
    step: int = 0
    lrs: Sequence[float] | None = None
    joins: Sequence[int] | None = None
    flags: Sequence[str] = ()
    dtypes: Sequence[str] = FULL
    ill_conditioned: bool = False
    inputs: Sequence[Mapping[str, Sequence[Tensor | None]]] | None = None


@dataclass(frozen=True)
class InvalidCase:
    """Hyperparameters that an implementation must reject; ``hyperparameters`` as in :class:`Case`."""

    id: str
    comment: str
    hyperparameters: dict[str, Any]


def vector(*data: float | complex) -> Tensor:
    """A 1-d tensor."""
    return Tensor((len(data),), data)


def matrix(*rows: Sequence[float | complex]) -> Tensor:
    """A 2-d tensor."""
    return Tensor((len(rows), len(rows[0])), tuple(x for row in rows for x in row))


def negated(tensor: Tensor) -> Tensor:
    """The tensor with every sign turned."""
    return Tensor(tensor.shape, tuple(-x for x in tensor.data))


def scalar(value: float | complex) -> Tensor:
    """A 0-d tensor."""
    return Tensor((), (value,))


def block(*data: float) -> Tensor:
    """A 4-d tensor of shape (1, 2, 1, n / 2), as a convolution's weights."""
    return Tensor((1, 2, 1, len(data) // 2), data)


def empty() -> Tensor:
    """A tensor without elements, of shape (0, 3)."""
    return Tensor((0, 3), ())
