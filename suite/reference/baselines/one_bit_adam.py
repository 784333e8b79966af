"""1-bit Adam (Tang et al. 2021, arXiv 2102.02888, algorithm 1), for W workers of which each has its own gradient g_w.

    up to step T (``freeze_step``), Adam on the average of the gradients:
        g = 1/W Σ g_w,    m_t = β1 m_{t-1} + (1-β1) g,    v_t = β2 v_{t-1} + (1-β2) g²
    afterwards v stays what it was after step T, and only signs and scales are exchanged:
        worker w    c_w = β1 m_{t-1} + (1-β1) g_w + δ_w,    ĉ_w = C(c_w),    δ_w ← c_w - ĉ_w
        server s    c̄   = 1/W Σ ĉ_w + δ̄_s,                  ĉ   = C(c̄),      δ̄_s ← c̄ - ĉ
        m_t = ĉ where v > 0, else 0
    always
        θ_t = (1 - ηλ) θ_{t-1} - η m_t / (√v_t + ε)

    C(c) = ±‖c‖₂/√n, with the signs of the n elements of c; that of 0 is +. All errors δ begin with 0.

Decisions:

- One worker is the same rule with W = 1: its momentum is compressed, and what the server compresses once more is ±s
  already. The authors' code (DeepSpeed up to 0.19.6) compresses nothing there.
- As in that code a tensor is compressed by itself and a worker has one scale for it. Flattened it is cut into chunks of
  ⌈n/W⌉ elements, the last ones shorter or empty; worker s is the server of chunk s and has one scale for that. The code
  fills a tensor up with zeros and counts them in the scales; here they count nothing.
- ``bias_correction`` divides m by 1-β1^t and v by 1-β2^min(t,T), which makes the steps up to T AdamW's. It is off by
  default: the algorithm has none, nor has the code, whose argument of that name does nothing.
- A coordinate with v = 0 had no gradient up to step T. One bit cannot say 0, so it would move by ηs/ε. The code wants a
  mask of such coordinates from its user; here v is that mask.
- ε is outside of the root, weight decay decoupled, as in the code.

It takes every tensor. The gradients of the workers after the first are inputs of a step: ``gradients2`` and so on.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "freeze_step": 1000,
    "bias_correction": False,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Both moments; the errors of the workers, of which the first step shows how many there are, and of the servers."""
    zero = [mpf(0)] * len(theta)
    return {"m": zero, "v": zero, "worker_errors": {}, "server_errors": zero}


def step(
    theta: list[mpf],
    gradient: list[mpf],
    state: dict[str, Any],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    shape: tuple[int, ...],
    a: Arithmetic,
    **others: list[mpf],
) -> list[mpf]:
    """The tensor after step ``t``, before it is stored; ``state`` is brought up to date."""
    b1, b2, eps, decay = (mpf(hyperparameters[name]) for name in ("beta1", "beta2", "eps", "weight_decay"))
    gradients = [gradient, *(others[name] for name in sorted(others))]
    last = hyperparameters["freeze_step"]
    if t <= last:
        mean = [a(a.total(values) / len(gradients)) for values in zip(*gradients, strict=True)]
        m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], mean, strict=True)])
        v = a.store([a(b2 * v) + a((1 - b2) * a(g * g)) for v, g in zip(state["v"], mean, strict=True)])
        state.update(m=m, v=v)
    else:
        exchanged = _exchanged(state, gradients, b1, a)
        state["m"] = [m if v > 0 else mpf(0) for m, v in zip(exchanged, state["v"], strict=True)]
    corrections = mpf(1), mpf(1)
    if hyperparameters["bias_correction"]:
        corrections = a.bias_correction(b1, t), a.bias_correction(b2, min(t, last))
    moved = []
    for old, m, v in zip(theta, state["m"], state["v"], strict=True):
        root = a(a(mpmath.sqrt(a(v / corrections[1]))) + eps)
        moved.append(a(a(1 - lr * decay) * old) - a(lr * a(a(m / corrections[0]) / root)))
    return moved


def _exchanged(state: dict[str, Any], gradients: list[list[mpf]], b1: mpf, a: Arithmetic) -> list[mpf]:
    """The momentum after both compressions; the errors are brought up to date."""
    n, workers = len(gradients[0]), len(gradients)
    sent = []
    for worker, gradient in enumerate(gradients):
        error = state["worker_errors"].get(worker, [mpf(0)] * n)
        terms = [(a(b1 * m), a((1 - b1) * g), e) for m, g, e in zip(state["m"], gradient, error, strict=True)]
        compressed, state["worker_errors"][worker] = _compressed(terms, a)
        sent.append(compressed)
    size = -(-n // workers)
    received: list[mpf] = []
    errors: list[mpf] = []
    for start in range(0, n, size):
        chunk = slice(start, start + size)
        parts = zip(*(values[chunk] for values in sent), state["server_errors"][chunk], strict=True)
        compressed, error = _compressed([(*(x / workers for x in xs), e) for *xs, e in parts], a)
        received += compressed
        errors += error
    state["server_errors"] = errors
    return received


def _compressed(terms: list[tuple[mpf, ...]], a: Arithmetic) -> tuple[list[mpf], list[mpf]]:
    """C of the sums of some terms as it is stored, and the error that it makes."""
    values = [a.total(xs) for xs in terms]
    scale = a(mpmath.sqrt(a.total([x * x for x in values]) / len(values)))
    sizes = [sum(map(abs, xs), mpf(0)) for xs in terms]
    minus = [a.decided(-x, mpf(0), size) for x, size in zip(values, sizes, strict=True)]
    (stored,) = a.store([scale])
    compressed = [-stored if below else stored for below in minus]
    return compressed, a.store([a(x - y) for x, y in zip(values, compressed, strict=True)])
