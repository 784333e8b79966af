"""MGUP-AdamW (Chang and Yuan, NeurIPS 2025, arXiv 2606.17526): AdamW with two lengths of step inside each tensor.

    m_t = β1 m_{t-1} + (1-β1) g_t,    v_t = β2 v_{t-1} + (1-β2) g_t²,    u = m_t / (√v_t + ε)
    φ_i = α at the k = ⌊τn⌋ elements with the largest u_i g_i of the tensor's n, else γ
    θ_t = (1 - ηλ) θ_{t-1} - η √(1-β2^t) / (1-β1^t) · φ ⊙ u

``tau`` None is the variant without sorting, which the authors recommend for large models:

    φ_i = γ where m_i and g_i have opposite signs, else α

It takes every tensor, each by itself.

Decisions: ε is added before bias correction ("epsilon hat"), as both the paper and its code have it; AdamW as others
write it adds it afterwards. Decay is (1 - ηλ) as in the code; the paper's rate of decay also has the bias correction.
τ 0.5, α 2 and γ 0.1 are the code's defaults, the paper writes α = 1/τ and γ = τ. k is ⌊τn⌋ of the product in double
precision, so that a tensor of fewer than 1/τ elements, such as one without dimensions, gets γ. The code leaves ties to
its sorting; here exactly k elements get α, and of equal ones those that come first in row-major order. A coordinate
without gradient has no sign and gets α in the variant, as in the code (its page says γ). The signs decide there, not
the product, which underflows.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-6,
    "weight_decay": 0.0,
    "tau": 0.5,
    "alpha": 2.0,
    "gamma": 0.1,
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
    sizes = [abs(b1 * m) + abs((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)]
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)])
    v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], gradient, strict=True)])
    state.update(m=m, v=v)
    roots = [a(a(mpmath.sqrt(x)) + eps) for x in v]
    u = [a(x / root) for x, root in zip(m, roots, strict=True)]
    tau = hyperparameters["tau"]
    if tau is None:
        aligned = [
            not g or not x or a.decided(x * g, mpf(0), s * g) for x, g, s in zip(m, gradient, sizes, strict=True)
        ]
    else:
        products = [a(x * g) for x, g in zip(u, gradient, strict=True)]
        sizes = [s / root * g for s, root, g in zip(sizes, roots, gradient, strict=True)]
        aligned = _top(int(tau * len(theta)), products, sizes, a)
    alpha, gamma = mpf(hyperparameters["alpha"]), mpf(hyperparameters["gamma"])
    rate = a(lr * a(mpmath.sqrt(a.bias_correction(b2, t))) / a.bias_correction(b1, t))
    return [
        a(a(1 - lr * decay) * old) - a(rate * a((alpha if chosen else gamma) * x))
        for old, x, chosen in zip(theta, u, aligned, strict=True)
    ]


def _top(k: int, products: list[mpf], sizes: list[mpf], a: Arithmetic) -> list[bool]:
    """Which elements are among the k largest; zeros alone may be equal there, being exact however they are computed."""
    order = sorted(range(len(products)), key=lambda index: -products[index])  # stable
    if 0 < k < len(order):
        last, first = order[k - 1], order[k]
        if products[last] or products[first]:
            a.decided(products[last], products[first], max(abs(sizes[last]), abs(sizes[first])))
    chosen = set(order[:k])
    return [index in chosen for index in range(len(products))]
