"""MicroAdam (Modoranu et al., NeurIPS 2024, arXiv 2405.15593, Algorithm 1): Adam on the largest gradients of late.

A tensor of n elements, in row-major order, is cut into ⌈n / block_size⌉ blocks of L = ⌈n / that number⌉ elements; the
last one may be shorter. In each block k = ⌈density · L⌉ elements are kept (all of a block that has fewer). Per tensor:

    a   = g_t + Q⁻¹(e)
    I_t = in each block, the places of the k largest |a|,    V_t = a at I_t, rounded to bfloat16
    a   = 0 at I_t
    e   = Q(a): in each block, s = (max a - min a) / 15,     q = (a - min a) / s rounded to a whole number
    Q⁻¹(e) = min a + q s
    m̂ = (1-β1) / (1-β1^t) · Σ_i β1^i V_{t-i},    v̂ = (1-β2) / (1-β2^t) · Σ_i β2^i V_{t-i}²,    i = 0 … window - 1
    θ_t = (1-ηλ) θ_{t-1} - η m̂ / (√v̂ + ε)

where V counts as 0 outside of its places and before the first step. It takes every tensor.

Decisions:

- Blocks of the same length as near as can be, and the same ones for the choice and for the quantisation. In the code of
  the paper (https://github.com/IST-DASLab/ISTA-DASLab-Optimizers) the length of the first comes from the GPU's shared
  memory, and the second's is an argument. ⌈density · L⌉ is computed in double precision.
- What rounding to bfloat16 takes from a kept value is lost, as the paper sets a to 0 there. (Its code has gradients in
  bfloat16, where nothing is rounded.)
- min and s are kept in the precision of the arithmetic, the code's min and max in bfloat16.
- A block whose rest is constant has s = 0; its rest holds a 0, so e is 0.
- The corrections are Adam's although the sums end after ``window`` terms, as in the paper.

The order of equal |a| is free. The cases have none but zeros, which may or may not be kept.
"""

import math
from collections.abc import Iterator
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.formats import STORED

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "window": 10,
    "density": 0.01,
    "block_size": 4096,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """No gradients yet, the latest first, and no error."""
    return {"kept": [], "error": [mpf(0)] * len(theta)}


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
    total = [a(g + e) for g, e in zip(gradient, state["error"], strict=True)]
    kept, error = [], []
    for block, count in _blocks(total, hyperparameters):
        places = _largest(block, count, a)
        kept += [a.rounded(x, STORED["bfloat16"]) if i in places else mpf(0) for i, x in enumerate(block)]
        error += _quantised([mpf(0) if i in places else x for i, x in enumerate(block)], a)
    state.update(kept=[kept, *state["kept"]][: hyperparameters["window"]], error=error)
    scale1 = a((1 - b1) / a.bias_correction(b1, t))
    scale2 = a((1 - b2) / a.bias_correction(b2, t))
    moved = []
    for old, values in zip(theta, zip(*state["kept"], strict=True), strict=True):
        m = a(scale1 * a.total([a(a(b1**age) * x) for age, x in enumerate(values)]))
        v = a(scale2 * a.total([a(a(b2**age) * a(x * x)) for age, x in enumerate(values)]))
        moved.append(a(a(1 - lr * decay) * old) - a(lr * a(m / a(a(mpmath.sqrt(v)) + eps))))
    return moved


def _blocks(data: list[mpf], hyperparameters: dict[str, Any]) -> Iterator[tuple[list[mpf], int]]:
    """Each block, and how many of its elements are kept."""
    length = math.ceil(len(data) / math.ceil(len(data) / hyperparameters["block_size"]))
    for start in range(0, len(data), length):
        block = data[start : start + length]
        yield block, min(math.ceil(hyperparameters["density"] * length), len(block))


def _largest(block: list[mpf], count: int, a: Arithmetic) -> set[int]:
    """The places of the largest absolute values."""
    order = sorted(range(len(block)), key=lambda i: -abs(block[i]))
    if count < len(block) and block[order[count - 1]] != 0:
        least, next_one = (abs(block[order[i]]) for i in (count - 1, count))
        a.decided(least, next_one, least)
    return set(order[:count])


def _quantised(rest: list[mpf], a: Arithmetic) -> list[mpf]:
    """What is left of a block after 4 bits were kept of each element."""
    low, high = min(rest), max(rest)
    low, spacing = a.store([low, a((high - low) / 15)])
    if spacing == 0:
        return [low] * len(rest)
    return [a(low + a(a.nearest(a(a(x - low) / spacing)) * spacing)) for x in rest]
