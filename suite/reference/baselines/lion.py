"""Lion (Chen et al. 2023, arXiv 2302.06675), its Algorithm 2.

    u   = sign(β1 m_{t-1} + (1-β1) g_t),    sign(0) = 0
    m_t = β2 m_{t-1} + (1-β2) g_t
    θ_t = (1 - ηλ) θ_{t-1} - η u

Decisions: none; decay is decoupled in the paper, too. No case has a sum near 0, where rounding would decide its sign,
but for such as are 0 exactly. It takes every tensor.
"""

from typing import Any

from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}


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
    b1, b2, decay = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "weight_decay"))
    u = [_sign(a(b1 * m), a((1 - b1) * g), a) for m, g in zip(state["m"], gradient, strict=True)]
    state["m"] = a.store([a(b2 * m) + a((1 - b2) * g) for m, g in zip(state["m"], gradient, strict=True)])
    return [a(a(a(1 - lr * decay) * old) - a(lr * ui)) for old, ui in zip(theta, u, strict=True)]


def _sign(history: mpf, news: mpf, a: Arithmetic) -> mpf:
    if not history and not news:
        return mpf(0)
    return mpf(1 if a.decided(history + news, mpf(0), abs(history) + abs(news)) else -1)
