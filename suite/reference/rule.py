"""AlphaAdam's rule, and that of its relatives, in exact arithmetic: mask and strength for whatever direction.

Everything is computed from the stored values with 256 bits; parameters and moments are rounded to the stated dtype
where an implementation stores them, and nowhere else. How far an implementation may be off is in ``rounding.py``.
"""

from dataclasses import dataclass, field
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.directions import DIRECTIONS, TensorState
from suite.reference.formats import Format

#: The caps of the rules when alpha_max is null.
DEFAULT_CAPS = {"norm": 2, "count": 1000}


@dataclass
class Step:
    """What one step makes of one tensor, with what it went through on the way.

    Attributes:
        after: The tensor after the step.
        gradient: The gradient as used: negated when maximizing.
        history: The first term of the new moment, for Adam ``b1 m_{t-1}``.
        news: The second, for Adam ``(1 - b1) g``.
        u: The update before mask and strength.
        mask: 1 where the coordinate is updated, else 0.
        alpha: The strength, exact.
        signs: The two terms of further sums whose sign decides u, per element.
    """

    after: TensorState
    gradient: list[mpf]
    history: list[mpf]
    news: list[mpf]
    u: list[mpf]
    mask: list[int]
    alpha: mpf
    signs: list[tuple[mpf, mpf]] = field(default_factory=list)


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
        departure: A flag whose other acceptable outcome is wanted: ``SquareOverflow``, ``NormUnderflow``,
            ``SignOfNan`` or ``ZeroRate``.

    Returns:
        The tensor after the step, and what the step decided.
    """
    decay = mpf(hyperparameters["weight_decay"])
    if hyperparameters["maximize"]:
        gradient = [-g for g in gradient]
    direction = DIRECTIONS[hyperparameters["direction"]](
        state, gradient, t, hyperparameters, stored, computed, departure
    )
    u = direction.u
    if hyperparameters["direction"] != "adam" and lr == 0 and departure != "ZeroRate":
        u = [mpf(0)] * len(u)  # read from a step of another optimizer, which makes none
    mask = _mask(hyperparameters["masking"], state.m, direction.m, gradient)
    alpha = mpf(1) if departure == "NormUnderflow" else _alpha(hyperparameters, mask, u)
    params = [
        stored.round((1 - lr * decay) * theta - lr * alpha * (a * ui))
        for theta, a, ui in zip(state.params, mask, u, strict=True)
    ]
    after = TensorState(params, direction.m, direction.v)
    return Step(after, gradient, direction.history, direction.news, u, mask, alpha, direction.signs)


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
