"""8-bit Adam (Dettmers et al. 2021, arXiv 2110.02861): AdamW whose moments are kept in 8 bits, block by block.

    m_t = β1 M_{t-1} + (1-β1) g_t,    v_t = β2 V_{t-1} + (1-β2) g_t²
    θ_t = (1 - ηλ) θ_{t-1} - η · (m_t / (1-β1^t)) / (√(v_t / (1-β2^t)) + ε)
    M_t = m_t as it comes back from the signed code, V_t = v_t from the unsigned one;  M_0 = V_0 = 0

Blockwise quantisation (section 2.1): the elements of a tensor in row-major order are cut into blocks of ``block_size``,
of which the last may be shorter. Of a block N = max |x| is kept, and of each element the code whose value is nearest
to x / N; what comes back is that value times N. A block of zeros comes back as zeros.

Dynamic tree quantisation (sections 1.3 and 2.2): leading zeros say the decade, the bits behind them a fraction. The
values of the code are 0, 1 and for e = 0 ... 6 the middles of 2^e equal parts of [0.1, 1], times 10^(e-6), with both
signs; unsigned 2^(e+1) parts. So there are 256, and -1 is none of the signed ones: it comes back as -0.993.

Decisions:

- The step is made with m_t and v_t before they are quantised, as section 2 has it: quantisation is for storage.
- Blocks of 256, as in the authors' library; their paper has 2048.
- N is kept in the dtype of the arithmetic: float32, and for float64 parameters float64.
- A tensor of fewer than ``min_8bit_size`` elements keeps both moments as they are, as in the library: AdamW.
- Nearest means nearest: a small negative number may come back as 0. (The library's CUDA kernels keep its sign.)
- Weight decay is decoupled, as here everywhere. The paper's stable embedding layer is part of a model, not of the rule.

It takes every tensor. Cases keep x / N away from the middle between two values of the code.
"""

from bisect import bisect
from functools import cache
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.01,
    "min_8bit_size": 4096,
    "block_size": 256,
}

#: Least relative distance of a number from the middle between two values of the code. What a step adds to it in
#: roundings is some ulp; the values lie so close that a larger distance would leave hardly any data.
_MARGIN = mpf(2) ** -17


@cache
def code_book(signed: bool) -> list[mpf]:
    """The values of the code, ascending."""
    values = [mpf(0), mpf(1)]
    for e in range(7):
        parts = 2**e if signed else 2 ** (e + 1)
        middles = [mpf(10) ** (e - 6) * (mpf(1) / 10 + mpf(9) / 10 * (k + mpf(1) / 2) / parts) for k in range(parts)]
        values += middles + ([-x for x in middles] if signed else [])
    return sorted(values)


def quantised(x: list[mpf], signed: bool, block_size: int, a: Arithmetic) -> list[mpf]:
    """What comes back of numbers."""
    values = code_book(signed)
    returned = []
    for start in range(0, len(x), block_size):
        block = x[start : start + block_size]
        (largest,) = a.store([max(map(abs, block))])
        for number in block:
            fraction = a(number / largest) if largest else mpf(0)
            returned.append(a(a(values[_nearest(fraction, values, a)]) * largest))
    return returned


def _nearest(fraction: mpf, values: list[mpf], a: Arithmetic) -> int:
    index = bisect(values, fraction)
    if index in (0, len(values)):
        return max(0, index - 1)
    middle = (values[index - 1] + values[index]) / 2
    return index if a.decided(fraction, middle, fraction, _MARGIN) else index - 1


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments as they come back."""
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
    m = [a(a(b1 * m) + a((1 - b1) * g)) for m, g in zip(state["m"], gradient, strict=True)]
    v = [a(a(b2 * v) + a((1 - b2) * a(g * g))) for v, g in zip(state["v"], gradient, strict=True)]
    moved = []
    for old, mi, vi in zip(theta, m, v, strict=True):
        root = a(a(mpmath.sqrt(a(vi / a.bias_correction(b2, t)))) + eps)
        moved.append(a(a(1 - lr * decay) * old) - a(lr * a(a(mi / a.bias_correction(b1, t)) / root)))
    if len(theta) < hyperparameters["min_8bit_size"]:
        state.update(m=a.store(m), v=a.store(v))
    else:
        block_size = hyperparameters["block_size"]
        state.update(m=quantised(m, True, block_size, a), v=quantised(v, False, block_size, a))
    return moved
