"""LDAdam (Robert et al., ICLR 2025, arXiv 2410.16103, Algorithm 1): Adam in a subspace that turns in every step.

Written for a matrix p×q with p ≤ q, P being p×r with orthonormal columns; of a matrix with more rows than columns the
transpose is taken, so P is always on the smaller side, and on the left one of a square matrix. r is the rank asked
for, at most p.

    A  = G_t + E_{t-1}
    P  = the first r left singular vectors of A                                 t = 1
         Q of the QR decomposition of B Bᵀ P_{t-1}                              t > 1, one power iteration
         with B = ρ P_{t-1} M_{t-1} / (1-β1^(t-1)) + (1-ρ) A
    S  = Pᵀ P_{t-1},    M̂ = M_{t-1} / (1-β1^(t-1)),    V̂ = V_{t-1} / (1-β2^(t-1))
    M̃  = S M_{t-1}
    Ṽ  = (1-β2^(t-1)) |S² (V̂ - M̂²) + (S M̂)²|       squares element by element; M̃ = Ṽ = 0 at t = 1
    M_t = β1 M̃ + (1-β1) Pᵀ A,    V_t = β2 Ṽ + (1-β2) (Pᵀ A)²
    Θ_t = (1-ηλ) Θ_{t-1} - η P [(M_t / (1-β1^t)) / (√(V_t / (1-β2^t)) + ε)]
    E_t = A - P Pᵀ A + β1/(1-β1) (P_{t-1} M_{t-1} - P M̃)

Every other tensor gets AdamW (``suite/reference/baselines/adamw.py``).

Decisions:

- S² is the square, as in the paper: the variance of S x is S² that of x where the coordinates of x are independent.
- A rank above p is p; the code refuses it.
- E is kept in an array of its own. The code adds it into the gradient, which whoever trains must then not clear.

The signs of the columns of P, free in SVD and QR, cancel: P_{t-1} with other signs gives P with other signs, and with
them rows of M, rows and columns of S change sign, and nothing else. Their order and rotation do not cancel, since V is
squared in their coordinates, but SVD and QR leave neither free where singular values are apart, as in the cases.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines import adamw
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import Matrix, flat, from_flat, orthonormal, product, transposed
from suite.reference.baselines.subspaces import basis

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.908,
    "beta2": 0.99,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "rank": 16,
    "rho": 0.908,
    **adamw.DEFAULTS,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments; of a matrix those of its projection, the error, and no subspace."""
    if len(shape) != 2:
        return adamw.begin(theta)
    smaller, larger = sorted(shape)
    rank = min(hyperparameters["rank"], smaller)
    empty = [[mpf(0)] * larger for _ in range(rank)]
    return {"m": empty, "v": empty, "e": [[mpf(0)] * larger for _ in range(smaller)], "p": None}


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
    b1, b2, eps, decay = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "eps", "weight_decay"))
    tall = shape[0] > shape[1]
    g = from_flat(gradient, shape)
    total = _combined(transposed(g) if tall else g, state["e"], lambda x, e: a(x + e))
    m, v = state["m"], state["v"]
    if state["p"] is None:
        p = basis(transposed(total), len(m), a)
        p = [a.store(row) for row in p]
        adapted_m, adapted_v = m, v
        lost = [[mpf(0)] * len(row) for row in total]
    else:
        p, adapted_m, adapted_v, lost = _turned(total, state["p"], m, v, t, hyperparameters, a)
    low = product(transposed(p), total, a)
    m = [a.store(row) for row in _combined(adapted_m, low, lambda x, y: a(b1 * x) + a((1 - b1) * y))]
    v = [a.store(row) for row in _combined(adapted_v, low, lambda x, y: a(b2 * x) + a((1 - b2) * a(y * y)))]
    kept = product(p, low, a)
    error = _combined(_combined(total, kept, lambda x, y: a(x - y)), lost, lambda x, y: a(x + a(b1 / (1 - b1) * y)))
    state.update(m=m, v=v, p=p, e=[a.store(row) for row in error])

    def direction(mi: mpf, vi: mpf) -> mpf:
        root = a(a(mpmath.sqrt(a(vi / a.bias_correction(b2, t)))) + eps)
        return a(a(mi / a.bias_correction(b1, t)) / root)

    update = product(p, _combined(m, v, direction), a)
    moved = flat(transposed(update) if tall else update)
    return [a(a(1 - lr * decay) * old) - a(lr * u) for old, u in zip(theta, moved, strict=True)]


def _turned(
    total: Matrix, before: Matrix, m: Matrix, v: Matrix, t: int, hyperparameters: dict[str, Any], a: Arithmetic
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """The next subspace, both moments in it, and what the first moment lost on the way."""
    correction1 = a.bias_correction(mpf(hyperparameters["beta1"]), t - 1)
    correction2 = a.bias_correction(mpf(hyperparameters["beta2"]), t - 1)
    rho = mpf(hyperparameters["rho"])
    lifted = product(before, m, a)
    b = _combined(lifted, total, lambda x, y: a(a(rho * a(x / correction1)) + a((1 - rho) * y)))
    p = [a.store(row) for row in orthonormal(product(b, product(transposed(b), before, a), a), a)]
    turn = product(transposed(p), before, a)
    adapted = product(turn, m, a)
    m_hat = [[a(x / correction1) for x in row] for row in m]
    spread = _combined(v, m_hat, lambda x, y: a(a(x / correction2) - a(y * y)))
    variance = product([[a(x * x) for x in row] for row in turn], spread, a)
    mean = product(turn, m_hat, a)
    second = _combined(variance, mean, lambda x, y: a(correction2 * abs(a(x + a(y * y)))))
    lost = _combined(lifted, product(p, adapted, a), lambda x, y: a(x - y))
    return p, adapted, second, lost


def _combined(one: Matrix, other: Matrix, of: Any) -> Matrix:
    """A matrix of a function of the elements of two."""
    return [[of(x, y) for x, y in zip(*rows, strict=True)] for rows in zip(one, other, strict=True)]
