"""What a case is before the oracle has answered it, and the settings that topics share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DTYPES = ("float32", "float64")

#: Least |m_t| / (|b1 m_{t-1}| + |(1-b1) g|). Near 0, three ways to write the moment update give three signs to a sync
#: mask, and no number of ulp holds for m_t; one step has no reason to come close.
SINGLE_STEP_CONDITIONING = 1 / 2
TRAJECTORY_CONDITIONING = 1 / 16

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.01,
    "masking": "async",
    "alpha": "norm",
    "alpha_max": None,
}

#: The paper's ablation (its Table 3), and Cautious AdamW, as settings of one optimizer.
SETTINGS: dict[str, dict[str, Any]] = {
    "adamw": {"masking": "none", "alpha": 1.0},
    "sync-mask": {"masking": "sync", "alpha": 1.0},
    "async-mask": {"masking": "async", "alpha": 1.0},
    "alphaadam": {"masking": "async", "alpha": "norm"},
    "cautious": {"masking": "sync", "alpha": "count"},
}


@dataclass(frozen=True)
class Tensor:
    """A tensor: its shape and its elements in row-major order, as doubles that the dtype will round."""

    shape: tuple[int, ...]
    data: tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """A case of one or more steps.

    Attributes:
        id: Unique within its file and dtype, ``setting/what``.
        comment: What the case is there to see.
        hyperparameters: Those that differ from :data:`DEFAULTS`.
        params: Initial parameters.
        gradients: Per step, per tensor.
        m: Prior first moments, or None to start without history.
        v: Prior second moments, or None.
        step: Steps taken before this case.
        lrs: Learning rate per step, or None for the hyperparameter.
        flags: Names of the notes that apply.
    """

    id: str
    comment: str
    hyperparameters: dict[str, Any]
    params: Sequence[Tensor]
    gradients: Sequence[Sequence[Tensor]]
    m: Sequence[Tensor] | None = None
    v: Sequence[Tensor] | None = None
    step: int = 0
    lrs: Sequence[float] | None = None
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class InvalidCase:
    """Hyperparameters that an implementation must reject; ``hyperparameters`` as in :class:`Case`."""

    id: str
    comment: str
    hyperparameters: dict[str, Any]


def vector(*data: float) -> Tensor:
    """A 1-d tensor."""
    return Tensor((len(data),), data)


def matrix(*rows: Sequence[float]) -> Tensor:
    """A 2-d tensor."""
    return Tensor((len(rows), len(rows[0])), tuple(x for row in rows for x in row))


def scalar(value: float) -> Tensor:
    """A 0-d tensor."""
    return Tensor((), (value,))
