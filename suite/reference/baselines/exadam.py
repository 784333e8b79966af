"""EXAdam (Adly 2024, arXiv 2412.20302), the rule of its second version.

    m_t = β1 m_{t-1} + (1-β1) g_t,    v_t = β2 v_{t-1} + (1-β2) g_t²
    d1  = 1 + v_t / (v_t + ε) · β2^t,    d2 = 1 + m_t² / (m_t² + ε) · β1^t
    θ_t = (1 - ηλ) θ_{t-1} - η · [(m_t + g_t) / (1-β1^t) · d1] / (√(v_t / (1-β2^t) · d2) + ε)

Decisions: weight decay is decoupled, as here everywhere. ``dynamic_step_size`` multiplies η by ln(√2 · √(t+1)), which
the first version did; decay is not multiplied by it.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "dynamic_step_size": False,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments."""
    return {"m": [mpf(0)] * len(theta), "v": [mpf(0)] * len(theta)}


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
    b1, b2, eps, decay = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "eps", "weight_decay"))
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)])
    v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], gradient, strict=True)])
    state.update(m=m, v=v)
    rate = lr * mpmath.log(mpmath.sqrt(2) * mpmath.sqrt(t + 1)) if hyperparameters["dynamic_step_size"] else lr
    moved = []
    for old, g, mi, vi in zip(theta, gradient, m, v, strict=True):
        d1 = a(1 + a(vi / a(vi + eps)) * b2**t)
        square = a(mi * mi)
        d2 = a(1 + a(square / a(square + eps)) * b1**t)
        numerator = a(a(a(mi + g) / a.bias_correction(b1, t)) * d1)
        denominator = a(a(mpmath.sqrt(a(a(vi / a.bias_correction(b2, t)) * d2))) + eps)
        moved.append(a(a(1 - lr * decay) * old) - a(rate * a(numerator / denominator)))
    return moved
