"""GaLore, gradient low-rank projection (Zhao et al. 2024, arXiv 2403.03507, Algorithm 2), with AdamW as in its code.

For a matrix m×n, P the first r singular vectors of its gradient on the smaller side, r at most min(m, n):

    P   = singular vectors of G_t at t = 1, 1 + T, 1 + 2T, …, else as before
    R   = Pᵀ G_t (wide: m < n), or G_t P (tall or square: m ≥ n)
    M_t = β1 M_{t-1} + (1-β1) R,    V_t = β2 V_{t-1} + (1-β2) R²
    U   = M_t / (√V_t + ε),   lifted back: P U, or U Pᵀ
    Θ_t = (1 - ηλ) (Θ_{t-1} - η s √(1-β2^t) / (1-β1^t) · lifted U)

Every other tensor, vectors and tensors of more dimensions too, gets AdamW (``suite/reference/baselines/adamw.py``).

Both moments are carried from one basis to the next: the i-th vector's successor is the i-th vector of the new basis. A
singular vector has no sign of its own, but from the second refresh on the sign decides whether the momentum carried
along it helps or hinders. The paper says nothing of it, and the authors' code takes what its library returns, which
differs from library to library. Here the new vector takes the sign that makes its inner product with the one before it
positive (0 leaves it as it is). So the result depends on no library, and not on the signs of the first basis either.
Cases up to the second refresh do not see the sign: they are those with a T that is not smaller than their steps.

Other decisions, as the code of the paper (https://github.com/jiaweizzhao/GaLore) has it:

- Zeros have no singular vectors: a gradient of zeros leaves the basis as it is, and a matrix that has none yet does not
  move; it gets one with its first gradient that is not zero. (The code takes what its library makes of zeros.)
- T, ``update_proj_gap``, counts from the first step, which refreshes whatever T is.
- A square matrix is projected from the right; the paper's condition for the left is m ≤ n.
- ε, by default 1e-6, is added to the root of the uncorrected V ("epsilon hat").
- Decay comes after the update and shrinks it too. The scale s multiplies the update alone, and is 0.25 as in the
  paper's experiments.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines import adamw
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import Matrix, flat, from_flat, transposed, zeros
from suite.reference.baselines.subspaces import basis, is_wide, lifted, projected

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-6,
    "weight_decay": 0.0,
    "rank": 128,
    "update_proj_gap": 200,
    "scale": 0.25,
    **adamw.DEFAULTS,
}

_NUMBERS = ("beta1", "beta2", "eps", "scale", "weight_decay")


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments, a matrix's in its basis, which it has from the first step."""
    if len(shape) != 2:
        return adamw.begin(theta)
    return adamw.begin([mpf(0)] * (max(shape) * _rank(shape, hyperparameters)))


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
    wide, matrix, rank = is_wide(shape), from_flat(gradient, shape), _rank(shape, hyperparameters)
    if any(gradient) and ("p" not in state or (t - 1) % hyperparameters["update_proj_gap"] == 0):
        p = _aligned(basis(matrix, rank, a), state.get("p"), a)
        state["p"] = [a.store(row) for row in p]
    p = state.get("p", zeros(min(shape), rank))
    seen = flat(projected(matrix, p, wide, a))
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], seen, strict=True)])
    v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], seen, strict=True)])
    state.update(m=m, v=v)
    ratio = [a(mi / a(a(mpmath.sqrt(vi)) + eps)) for mi, vi in zip(m, v, strict=True)]
    update = flat(lifted(from_flat(ratio, (rank, shape[1]) if wide else (shape[0], rank)), p, wide, a))
    rate = a(lr * scale * mpmath.sqrt(a.bias_correction(b2, t)) / a.bias_correction(b1, t))
    return [a(a(1 - lr * decay) * a(old - a(rate * u))) for old, u in zip(theta, update, strict=True)]


def _rank(shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> int:
    return min(hyperparameters["rank"], *shape)


def _aligned(p: Matrix, before: Matrix | None, a: Arithmetic) -> Matrix:
    """The vectors of ``p``, each on the same side as the one before it."""
    if before is None:
        return p
    columns = []
    for new, old in zip(transposed(p), transposed(before), strict=True):
        inner = a.total([x * y for x, y in zip(new, old, strict=True)])
        columns.append(new if a.decided(inner, mpf(0), mpf(1)) else [-x for x in new])
    return transposed(columns)
