"""Stochastic gradient descent with momentum (Polyak 1964; Sutskever, Martens, Dahl and Hinton 2013).

    m_t = μ m_{t-1} + g_t,    u = m_t,    with ``nesterov`` u = g_t + μ m_t
    θ_t = (1 - ηλ) θ_{t-1} - η u

Decisions: the momentum gathers gradients as they are, without dampening, and not multiplied by the learning rate, so
that a change of the rate reaches every gradient in it. Weight decay is decoupled, as here everywhere, and no part of
the momentum. It takes every tensor.
"""

from typing import Any

from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {"lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The momentum."""
    return {"m": [mpf(0)] * len(theta)}


def step(
    theta: list[mpf],
    gradient: list[mpf],
    state: dict[str, Any],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    shape: tuple[int, ...],
    a: Arithmetic,
) -> list[mpf]:
    """The tensor after step ``t``, before it is stored; ``state`` is brought up to date."""
    momentum, decay = mpf(hyperparameters["momentum"]), mpf(hyperparameters["weight_decay"])
    m = a.store([a(momentum * old) + g for old, g in zip(state["m"], gradient, strict=True)])
    state["m"] = m
    u = [a(g + a(momentum * mi)) for g, mi in zip(gradient, m, strict=True)] if hyperparameters["nesterov"] else m
    return [a(a(a(1 - lr * decay) * old) - a(lr * ui)) for old, ui in zip(theta, u, strict=True)]
