"""Adan (Xie, Zhou, Li, Lin and Yan 2022, arXiv 2208.06677), its Algorithm 1 as the authors' code carries it out.

    δ_t = g_t - g_{t-1},    0 at t = 1
    m_t = β1 m_{t-1} + (1-β1) g_t,    v_t = β2 v_{t-1} + (1-β2) δ_t,    n_t = β3 n_{t-1} + (1-β3) (g_t + β2 δ_t)²
    u   = [m_t / (1-β1^t) + β2 v_t / (1-β2^t)] / (√(n_t / (1-β3^t)) + ε)
    θ_t = (θ_{t-1} - η u) / (1 + ηλ),    with ``no_prox`` (1 - ηλ) θ_{t-1} - η u

Decisions: β are what is kept of the averages, as in the code (github.com/sail-sg/Adan); the paper's β are 1 minus
these. The bias corrections and the first difference of 0 are the code's, too. Clipping by the gradients' global norm,
which the code offers, is left to the host framework. It takes every tensor.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.98,
    "beta2": 0.92,
    "beta3": 0.99,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "no_prox": False,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Three averages, and the gradient before the first, which the first step does not look at."""
    return {name: [mpf(0)] * len(theta) for name in ("m", "v", "n", "previous")}


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
    decay = a(lr * mpf(hyperparameters["weight_decay"]))
    u = direction(gradient, state, t, hyperparameters, a)
    if hyperparameters["no_prox"]:
        return [a(a(a(1 - decay) * old) - a(lr * ui)) for old, ui in zip(theta, u, strict=True)]
    return [a(a(old - a(lr * ui)) / a(1 + decay)) for old, ui in zip(theta, u, strict=True)]


def direction(
    gradient: list[mpf], state: dict[str, Any], t: int, hyperparameters: dict[str, Any], a: Arithmetic
) -> list[mpf]:
    """``u``; ``state`` is brought up to date."""
    b1, b2, b3, eps = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "beta3", "eps"))
    differences = [mpf(0) if t == 1 else a(g - old) for g, old in zip(gradient, state["previous"], strict=True)]
    ahead = [a(g + a(b2 * d)) for g, d in zip(gradient, differences, strict=True)]

    def mean(name: str, beta: mpf, news: list[mpf]) -> list[mpf]:
        state[name] = a.store([a(beta * old) + a((1 - beta) * x) for old, x in zip(state[name], news, strict=True)])
        corrected: list[mpf] = [a(x / a.bias_correction(beta, t)) for x in state[name]]
        return corrected

    ms, vs = mean("m", b1, gradient), mean("v", b2, differences)
    ns = mean("n", b3, [a(x * x) for x in ahead])
    state["previous"] = list(gradient)
    return [a(a(m + a(b2 * v)) / a(a(mpmath.sqrt(n)) + eps)) for m, v, n in zip(ms, vs, ns, strict=True)]
