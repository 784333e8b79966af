"""Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon/), with the scale and decay of Liu et al. (2025, arXiv
2502.16982).

For a matrix:

    M_t = μ M_{t-1} + G_t
    D   = G_t + μ M_t if ``nesterov``, else M_t
    X   = D after ``ns_steps`` iterations of Newton-Schulz (``newton_schulz.py``) with ``ns_coefficients`` and ``eps``
    Θ_t = (1 - ηλ) Θ_{t-1} - η · s · X

with s by ``scaling``:

    "rms"      0.2 √max(rows, columns)         an update as large as AdamW's (Liu et al.)
    "rows"     √max(1, rows / columns)         Jordan's, where rows are outputs, as PyTorch keeps weights
    "columns"  √max(1, columns / rows)         Jordan's, where columns are outputs, as JAX keeps them
    "none"     1

Every other tensor gets AdamW (``adamw.py``).

Decisions:

- The iteration is exact here. The published code carries it out in bfloat16.
- Some write M_t = μ M_{t-1} + (1-μ) G_t, and with it D = (1-μ) G_t + μ M_t: both are 1-μ times what they are here, and
  so is D, which Newton-Schulz does not see but for ``eps``. With ``eps`` 0 the two forms are one.
- Decay is decoupled and not scaled by s.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines import adamw
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import flat, from_flat
from suite.reference.baselines.newton_schulz import MUON, iterated

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "momentum": 0.95,
    "nesterov": True,
    "scaling": "rms",
    "weight_decay": 0.1,
    "ns_steps": 5,
    "ns_coefficients": list(MUON),
    "eps": 1e-7,
    **adamw.DEFAULTS,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """A matrix has its momentum, whatever else AdamW's moments."""
    return {"m": [mpf(0)] * len(theta)} if len(shape) == 2 else adamw.begin(theta)


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
    if len(shape) != 2:
        return adamw.step(theta, gradient, state, t, lr, hyperparameters, a)
    mu, decay, eps = (mpf(hyperparameters[name]) for name in ("momentum", "weight_decay", "eps"))
    m = a.store([a(a(mu * old) + g) for old, g in zip(state["m"], gradient, strict=True)])
    state.update(m=m)
    direction = [a(g + a(mu * x)) for g, x in zip(gradient, m, strict=True)] if hyperparameters["nesterov"] else m
    triple, iterations = hyperparameters["ns_coefficients"], hyperparameters["ns_steps"]
    x = flat(iterated(from_flat(direction, shape), triple, iterations, eps, a))
    rate = a(lr * scale(hyperparameters["scaling"], shape))
    return [a(a(1 - lr * decay) * old) - a(rate * u) for old, u in zip(theta, x, strict=True)]


def scale(scaling: str, shape: tuple[int, ...]) -> mpf:
    """The factor s."""
    rows, columns = map(mpf, shape)
    squares = {"rms": max(rows, columns) / 25, "rows": max(1, rows / columns), "columns": max(1, columns / rows)}
    return mpmath.sqrt(squares.get(scaling, mpf(1)))
