"""AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) for the tensors that a rule for matrices leaves over.

    m_t = β1 m_{t-1} + (1-β1) g_t,    v_t = β2 v_{t-1} + (1-β2) g_t²
    θ_t = (1 - ηλ) θ_{t-1} - η · (m_t / (1-β1^t)) / (√(v_t / (1-β2^t)) + ε)

with the rule's η and λ, and with ``adamw_beta1``, ``adamw_beta2`` and ``adamw_eps`` for β1, β2 and ε.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

#: What a rule has among its hyperparameters, so that this one can read it.
DEFAULTS: dict[str, Any] = {"adamw_beta1": 0.9, "adamw_beta2": 0.999, "adamw_eps": 1e-8}


def begin(theta: list[mpf]) -> dict[str, Any]:
    """Both moments."""
    return {"m": [mpf(0)] * len(theta), "v": [mpf(0)] * len(theta)}


def step(
    theta: list[mpf],
    gradient: list[mpf],
    state: dict[str, Any],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    a: Arithmetic,
) -> list[mpf]:
    """The tensor after step ``t``, before it is stored; ``state`` is brought up to date."""
    b1, b2, eps = (mpf(hyperparameters[name]) for name in DEFAULTS)
    decay = mpf(hyperparameters["weight_decay"])
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)])
    v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], gradient, strict=True)])
    state.update(m=m, v=v)
    moved = []
    for old, mi, vi in zip(theta, m, v, strict=True):
        root = a(a(mpmath.sqrt(a(vi / a.bias_correction(b2, t)))) + eps)
        moved.append(a(a(1 - lr * decay) * old) - a(lr * a(a(mi / a.bias_correction(b1, t)) / root)))
    return moved
