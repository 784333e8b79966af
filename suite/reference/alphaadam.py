"""AlphaAdam's rule in exact arithmetic.

Everything is computed from the stored values with 256 bits; parameters and moments are rounded to the stated dtype
where an implementation stores them, and nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.formats import Format

#: The caps of the rules when alpha_max is null.
DEFAULT_CAPS = {"norm": 2, "count": 1000}


@dataclass
class TensorState:
    """One parameter tensor and its moments, flat, as exact numbers."""

    params: list[mpf]
    m: list[mpf]
    v: list[mpf]


@dataclass
class StepResult:
    """What one step makes of one tensor; ``params``, ``m`` and ``v`` are in the new :class:`TensorState`.

    Attributes:
        mask: 1 where the coordinate is updated, else 0.
        alpha: The strength, exact.
        conditioning: The smallest ``|m_t| / (|b1 m_{t-1}| + |(1-b1) g|)`` over coordinates where that is defined: how
            far the new moment stays away from a cancellation that no finite precision survives.
    """

    mask: list[int]
    alpha: mpf
    conditioning: mpf = field(default_factory=lambda: mpf(1))


def step(
    state: TensorState,
    gradient: list[mpf],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    number_format: Format,
) -> tuple[TensorState, StepResult]:
    """Take step ``t`` (from 1) of AlphaAdam on one tensor.

    Args:
        state: The tensor before the step.
        gradient: Its gradient.
        t: The number of this step.
        lr: The learning rate of this step.
        hyperparameters: As in a vector file.
        number_format: Where parameters and moments are stored.

    Returns:
        The tensor after the step, and what the step decided.
    """
    b1, b2 = mpf(hyperparameters["beta1"]), mpf(hyperparameters["beta2"])
    eps, decay = mpf(hyperparameters["eps"]), mpf(hyperparameters["weight_decay"])

    terms = [(b1 * m, (1 - b1) * g) for m, g in zip(state.m, gradient, strict=True)]
    m = [number_format.round(history + news) for history, news in terms]
    v = [number_format.round(b2 * old + (1 - b2) * g * g) for old, g in zip(state.v, gradient, strict=True)]
    u = [(mi / (1 - b1**t)) / (mpmath.sqrt(vi / (1 - b2**t)) + eps) for mi, vi in zip(m, v, strict=True)]
    mask = _mask(hyperparameters["masking"], state.m, m, gradient)
    alpha = _alpha(hyperparameters, mask, u)
    params = [
        number_format.round((1 - lr * decay) * theta - lr * alpha * a * ui)
        for theta, a, ui in zip(state.params, mask, u, strict=True)
    ]
    sizes = [(abs(mi), abs(a) + abs(b)) for mi, (a, b) in zip(m, terms, strict=True)]
    conditioning = min((mi / size for mi, size in sizes if size), default=mpf(1))
    return TensorState(params, m, v), StepResult(mask, alpha, conditioning)


def _mask(masking: str, old_m: list[mpf], new_m: list[mpf], gradient: list[mpf]) -> list[int]:
    if masking == "none":
        return [1] * len(gradient)
    if masking == "sync":
        return [int(m * g > 0) for m, g in zip(new_m, gradient, strict=True)]
    return [int(m == 0 or m * g > 0) for m, g in zip(old_m, gradient, strict=True)]


def _alpha(hyperparameters: dict[str, Any], mask: list[int], u: list[mpf]) -> mpf:
    rule = hyperparameters["alpha"]
    if not isinstance(rule, str):
        return mpf(rule)
    cap = mpf(hyperparameters["alpha_max"] or DEFAULT_CAPS[rule])
    if not mask or all(mask):
        return mpf(1)
    if rule == "count":
        return min(mpf(len(mask)) / sum(mask), cap) if any(mask) else cap
    norm = mpmath.norm(u)
    masked_norm = mpmath.norm([a * ui for a, ui in zip(mask, u, strict=True)])
    if norm == 0:
        return mpf(1)
    return min(norm / masked_norm, cap) if masked_norm else cap
