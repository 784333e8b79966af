"""Conda, column-normalized Adam (Wang et al. 2025, arXiv 2509.24218, Algorithm 1), with the settings of its code.

For a matrix m×n, P the singular vectors of its momentum on the smaller side, all of them:

    M_t = β1 M_{t-1} + (1-β1) G_t
    P   = singular vectors of M_t at t = 1, 1 + T, 1 + 2T, …, else as before
    M'  = Pᵀ M_t,    G' = Pᵀ G_t          (wide: m < n)
    M'  = M_t P,     G' = G_t P           (tall or square: m ≥ n)
    V_t = β2 V_{t-1} + (1-β2) G'²
    U   = M' / (√V_t + ε),   lifted back: P U, or U Pᵀ
    Θ_t = (1 - ηλ) (Θ_{t-1} - η s √(1-β2^t) / (1-β1^t) · lifted U)

Every other tensor, vectors and tensors of more dimensions too, gets AdamW (``suite/reference/baselines/adamw.py``).

Decisions, all as the code of the paper (https://github.com/jie040109/Conda) has it:

- Zeros have no singular vectors: a momentum of zeros leaves the basis as it is, and a matrix that has none yet does not
  move; it gets one as soon as its momentum is not zero. (The code takes what its library makes of zeros.)
- T, ``update_proj_gap``, counts from the first step, which refreshes whatever T is. The paper says "every T steps".
- A square matrix is projected from the right; the paper's condition for the left is m ≤ n.
- ε is added to the root of the uncorrected V ("epsilon hat").
- Decay comes after the update and shrinks it too. The scale s multiplies the update alone.
- V is carried on when P changes: the i-th vector's successor is the i-th vector of the new basis.

The sign of a singular vector cancels in P U; their order does not, from the second refresh on. The cases keep singular
values apart.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines import adamw
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import flat, from_flat, zeros
from suite.reference.baselines.subspaces import basis, is_wide, lifted, projected

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "update_proj_gap": 2000,
    "scale": 1.0,
    **adamw.DEFAULTS,
}

_NUMBERS = ("beta1", "beta2", "eps", "scale", "weight_decay")


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments; a matrix has its basis from the first step."""
    return adamw.begin(theta)


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
    b1, b2, eps, scale, decay = (mpf(hyperparameters[name]) for name in _NUMBERS)
    wide = is_wide(shape)
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)])
    momentum = from_flat(m, shape)
    if any(m) and ("p" not in state or (t - 1) % hyperparameters["update_proj_gap"] == 0):
        state["p"] = [a.store(row) for row in basis(momentum, min(shape), a)]
    p = state.get("p", zeros(min(shape), min(shape)))
    seen = flat(projected(from_flat(gradient, shape), p, wide, a))
    v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], seen, strict=True)])
    state.update(m=m, v=v)
    ratio = [a(x / a(a(mpmath.sqrt(vi)) + eps)) for x, vi in zip(flat(projected(momentum, p, wide, a)), v, strict=True)]
    update = flat(lifted(from_flat(ratio, shape), p, wide, a))
    rate = a(lr * scale * mpmath.sqrt(a.bias_correction(b2, t)) / a.bias_correction(b1, t))
    return [a(a(1 - lr * decay) * a(old - a(rate * u))) for old, u in zip(theta, update, strict=True)]
