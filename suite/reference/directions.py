"""Where an optimizer would move without mask, strength and decay: Adam's direction, SGD's with momentum, and Lion's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.formats import Format


@dataclass
class TensorState:
    """One parameter tensor and its moments, flat, as exact numbers; a complex element is two of them.

    ``v`` is empty for an optimizer without second moment.
    """

    params: list[mpf]
    m: list[mpf]
    v: list[mpf]


@dataclass
class Direction:
    """New moments and the direction, with what they went through on the way.

    Attributes:
        m: The new first moment, as it is stored.
        v: The new second moment, as it is stored; empty for an optimizer without one.
        u: The direction: the step would be ``-lr * u``.
        history: The first term of the new moment.
        news: The second.
        signs: The two terms of further sums whose sign decides the direction, per element: Lion's.
    """

    m: list[mpf]
    v: list[mpf]
    u: list[mpf]
    history: list[mpf]
    news: list[mpf]
    signs: list[tuple[mpf, mpf]] = field(default_factory=list)


def adam(
    state: TensorState,
    gradient: list[mpf],
    t: int,
    hyperparameters: dict[str, Any],
    stored: Format,
    computed: Format,
    departure: str | None,
) -> Direction:
    """Adam's: the quotient of the bias-corrected first moment and the root of the second."""
    b1, b2, eps = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "eps"))
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
    return Direction(m, v, u, history, news)


def sgd(
    state: TensorState,
    gradient: list[mpf],
    t: int,
    hyperparameters: dict[str, Any],
    stored: Format,
    computed: Format,
    departure: str | None,
) -> Direction:
    """The momentum, or with Nesterov's the gradient and the momentum once more."""
    momentum = mpf(hyperparameters["momentum"])
    history = [momentum * m for m in state.m]
    m = [stored.round(a + g) for a, g in zip(history, gradient, strict=True)]
    u = [g + momentum * mi for mi, g in zip(m, gradient, strict=True)] if hyperparameters["nesterov"] else m
    return Direction(m, [], u, history, gradient)


def lion(
    state: TensorState,
    gradient: list[mpf],
    t: int,
    hyperparameters: dict[str, Any],
    stored: Format,
    computed: Format,
    departure: str | None,
) -> Direction:
    """The sign of a mean of momentum and gradient other than the one that is kept."""
    b1, b2 = mpf(hyperparameters["beta1"]), mpf(hyperparameters["beta2"])
    signs = [(b1 * m, (1 - b1) * g) for m, g in zip(state.m, gradient, strict=True)]
    u = [mpmath.sign(a + b) for a, b in signs]
    if departure == "SignOfNan":
        u = [mpf(0) if mpmath.isnan(ui) else ui for ui in u]
    history = [b2 * m for m in state.m]
    news = [(1 - b2) * g for g in gradient]
    m = [stored.round(a + b) for a, b in zip(history, news, strict=True)]
    return Direction(m, [], u, history, news, signs)


#: Name, as :func:`suite.reference.optimizers.as_alphaadam` gives it -> direction.
DIRECTIONS: dict[str, Callable[..., Direction]] = {"adam": adam, "sgd": sgd, "lion": lion}


def _quotient(numerator: mpf, denominator: mpf) -> mpf:
    """IEEE division, which mpmath's is but for a zero denominator."""
    if denominator == 0 and not mpmath.isnan(numerator):
        return mpf("nan") if numerator == 0 else mpf("inf") * mpmath.sign(numerator)
    return numerator / denominator
