"""AlphaAdam's rule, and AdamW's and Cautious AdamW's as its relatives, in exact arithmetic.

Everything is computed from the stored values with 256 bits; parameters and moments are rounded to the stated dtype
where an implementation stores them, and nowhere else. How far an implementation may be off is in ``rounding.py``.
"""

from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.formats import Format

#: The caps of the rules when alpha_max is null.
DEFAULT_CAPS = {"norm": 2, "count": 1000}


@dataclass
class TensorState:
    """One parameter tensor and its moments, flat, as exact numbers; a complex element is two of them."""

    params: list[mpf]
    m: list[mpf]
    v: list[mpf]


@dataclass
class Step:
    """What one step makes of one tensor, with what it went through on the way.

    Attributes:
        after: The tensor after the step.
        gradient: The gradient as used: negated when maximizing.
        history: ``b1 m_{t-1}``, the first term of the new moment.
        news: ``(1 - b1) g``, the second.
        u: The update before mask and strength.
        mask: 1 where the coordinate is updated, else 0.
        alpha: The strength, exact.
    """

    after: TensorState
    gradient: list[mpf]
    history: list[mpf]
    news: list[mpf]
    u: list[mpf]
    mask: list[int]
    alpha: mpf


def step(
    state: TensorState,
    gradient: list[mpf],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    stored: Format,
    computed: Format,
    departure: str | None = None,
) -> Step:
    """Take step ``t`` (from 1) on one tensor.

    Args:
        state: The tensor before the step.
        gradient: Its gradient.
        t: The number of this step.
        lr: The learning rate of this step.
        hyperparameters: As :func:`suite.reference.optimizers.as_alphaadam` returns them.
        stored: Where parameters and moments are stored.
        computed: What an implementation computes in; it matters only for departures.
        departure: A flag whose other acceptable outcome is wanted: ``SquareOverflow`` or ``NormUnderflow``.

    Returns:
        The tensor after the step, and what the step decided.
    """
    b1, b2 = mpf(hyperparameters["beta1"]), mpf(hyperparameters["beta2"])
    eps, decay = mpf(hyperparameters["eps"]), mpf(hyperparameters["weight_decay"])
    if hyperparameters["maximize"]:
        gradient = [-g for g in gradient]

    history = [b1 * m for m in state.m]
    news = [(1 - b1) * g for g in gradient]
    m = [stored.round(a + b) for a, b in zip(history, news, strict=True)]
    squares = [g * g for g in gradient]
    if departure == "SquareOverflow":
        squares = [computed.round(square) for square in squares]
    v = [stored.round(b2 * old + (1 - b2) * square) for old, square in zip(state.v, squares, strict=True)]
    correction1, correction2 = 1 - b1**t, mpmath.sqrt(1 - b2**t)
    if hyperparameters["eps_placement"] == "after-bias-correction":
        denominators = [mpmath.sqrt(vi) / correction2 + eps for vi in v]
    else:
        denominators = [(mpmath.sqrt(vi) + eps) / correction2 for vi in v]
    u = [_quotient(mi / correction1, d) for mi, d in zip(m, denominators, strict=True)]
    mask = _mask(hyperparameters["masking"], state.m, m, gradient)
    alpha = mpf(1) if departure == "NormUnderflow" else _alpha(hyperparameters, mask, u)
    params = [
        stored.round((1 - lr * decay) * theta - lr * alpha * (a * ui))
        for theta, a, ui in zip(state.params, mask, u, strict=True)
    ]
    return Step(TensorState(params, m, v), gradient, history, news, u, mask, alpha)


def _quotient(numerator: mpf, denominator: mpf) -> mpf:
    """IEEE division, which mpmath's is but for a zero denominator."""
    if denominator == 0 and not mpmath.isnan(numerator):
        return mpf("nan") if numerator == 0 else mpf("inf") * mpmath.sign(numerator)
    return numerator / denominator


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
    if not mask or hyperparameters["masking"] == "none":
        return mpf(1)
    if rule == "count":
        return min(mpf(len(mask)) / sum(mask), cap) if any(mask) else cap
    if any(mpmath.isnan(ui) or mpmath.isinf(ui) for ui in u):
        return mpf("nan")
    norm = mpmath.norm(u)
    masked_norm = mpmath.norm([a * ui for a, ui in zip(mask, u, strict=True)])
    if norm == 0:
        return mpf(1)
    return min(norm / masked_norm, cap) if masked_norm else cap
