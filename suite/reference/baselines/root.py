"""ROOT, the robust orthogonalized optimizer (He et al. 2025, arXiv 2511.20626), with the settings of its code.

For a matrix:

    M_t = μ M_{t-1} + G_t
    D   = G_t + μ M_t if ``nesterov``, else M_t
    ε   = the ``quantile`` of |D| + 10⁻⁹
    B   = D with every element clipped to [-ε, ε], that is D less its soft-thresholded outliers
    X   = B after five iterations of Newton-Schulz with the ``coefficients`` (``newton_schulz.py``, whose ε is 10⁻⁷)
    Θ_t = (1 - ηλ) Θ_{t-1} - η · 0.2 √max(rows, columns) · X

Every other tensor gets AdamW (``adamw.py``).

Decisions, as the code of the paper (https://github.com/huawei-noah/noah-research, ROOT/examples) has it:

- The quantile is over all elements of the matrix. It lies between the two nearest of them in order, linearly: that of q
  among n stands at q (n - 1), counted from 0.
- Nesterov's momentum is the default. The paper's algorithm and the README take M_t.
- All iterations have one (a, b, c), which is chosen by the shape, the smaller side first. It is published for four
  shapes, :data:`PUBLISHED`; every other shape has Muon's.

Ours:

- ``coefficients`` is "published" for that, or an (a, b, c) for all shapes, or an object of them by shape, "3x5", in
  which a shape that is missing has the published ones.
- AdamW adds ε after bias correction. The code adds it before, and applies one decay to all tensors, as here.
"""

from collections.abc import Sequence
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
    "quantile": 0.9,
    "weight_decay": 0.1,
    "coefficients": "published",
    **adamw.DEFAULTS,
    "adamw_beta2": 0.95,
}

PUBLISHED = {
    "2048x2048": (3.4916, -4.8224, 2.1095),
    "2048x3072": (3.4509, -4.5790, 1.9325),
    "2048x8192": (2.9794, -3.6674, 1.6207),
    "2048x16384": (3.1943, -3.8221, 1.5322),
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
    mu, decay, q = (mpf(hyperparameters[name]) for name in ("momentum", "weight_decay", "quantile"))
    m = a.store([a(a(mu * old) + g) for old, g in zip(state["m"], gradient, strict=True)])
    state.update(m=m)
    direction = [a(g + a(mu * x)) for g, x in zip(gradient, m, strict=True)] if hyperparameters["nesterov"] else m
    threshold = a(quantile([abs(d) for d in direction], q, a) + mpf("1e-9"))
    clipped = [max(-threshold, min(threshold, d)) for d in direction]
    triple = triple_of(hyperparameters["coefficients"], shape)
    x = flat(iterated(from_flat(clipped, shape), triple, 5, mpf("1e-7"), a))
    rate = a(a(lr * mpf("0.2")) * mpmath.sqrt(max(shape)))
    return [a(a(1 - lr * decay) * old) - a(rate * u) for old, u in zip(theta, x, strict=True)]


def quantile(values: Sequence[mpf], q: mpf, a: Arithmetic) -> mpf:
    """The ``q``-quantile, between its two neighbours linearly."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(mpmath.floor(place))
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return a(low + a((place - below) * a(high - low)))


def triple_of(coefficients: Any, shape: tuple[int, ...]) -> Sequence[float]:
    """(a, b, c) of a matrix."""
    key = f"{min(shape)}x{max(shape)}"
    published = PUBLISHED.get(key, MUON)
    if isinstance(coefficients, dict):
        return coefficients.get(key, published)
    return published if coefficients == "published" else coefficients
