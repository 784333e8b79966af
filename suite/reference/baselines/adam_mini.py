"""Adam-mini (Zhang et al. 2024, arXiv 2406.16793): Adam with one second moment for each block of a tensor.

    m_t = β1 m_{t-1} + (1-β1) g_t                  per element
    v_t = β2 v_{t-1} + (1-β2) mean(g_t²)           per block, the mean over its elements
    θ_t = (1 - ηλ) θ_{t-1} - η · (m_t / (1-β1^t)) / (√(v_t / (1-β2^t)) + ε)

The partition is a hyperparameter, ``blocks``: null makes each tensor one block; else a list says it for each tensor:

- null: one block.
- [axis, size]: indices of the axis are cut into runs of ``size``, each of which, over all other axes, is a block. With
  size 1 each index is one: a token's row, an output neuron, and in a vector each element, which is Adam. With the
  width of a head each head is one.
- [axis, [[length, size], ...]]: the axis is a sequence of parts of that length, each cut into runs of its own size:
  queries and keys in heads and values in neurons, where one matrix holds all three.

A negative axis counts from the last. Lengths add up to the axis, and each is a multiple of its size.

Decisions:

- The paper's partition of a Transformer is: queries and keys by head; values, attention output and
  MLPs by output neuron; token embedding and head by token; every other tensor one block. In its authors' code biases
  have a second moment per element, about which the paper is silent; norms' weights are one block. Both can be said.
- Without a partition each tensor is one block: the paper's choice for networks that are no Transformers.
- A tensor without dimensions, or without elements, is one block whatever is said.
- ε is added after bias correction, as in the authors' code. Weight decay is decoupled; that code has none for norms
  and biases, which here is the user's choice.

It takes every tensor.
"""

import itertools
import math
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
    "blocks": None,
}


def of_tensor(hyperparameters: dict[str, Any], index: int) -> dict[str, Any]:
    """The hyperparameters with the partition of one tensor."""
    blocks = hyperparameters["blocks"]
    return {**hyperparameters, "blocks": None if blocks is None else blocks[index]}


def blocks_of(shape: tuple[int, ...], blocks: Any) -> list[int]:
    """The number of its block for each element of a tensor, in row-major order."""
    if blocks is None or math.prod(shape) == 0 or not shape:
        return [0] * math.prod(shape)
    axis, parts = blocks
    if isinstance(parts, int):
        parts = [[shape[axis], parts]]
    sizes = [size for length, size in parts for _ in range(length // size)]
    if sum(sizes) != shape[axis]:
        raise ValueError(f"{blocks} is no partition of {shape}")
    of_index = [number for number, size in enumerate(sizes) for _ in range(size)]
    return [of_index[indices[axis]] for indices in itertools.product(*map(range, shape))]


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The first moment of each element, the second of each block."""
    blocks = blocks_of(shape, hyperparameters["blocks"])
    return {"m": [mpf(0)] * len(theta), "v": [mpf(0)] * (max(blocks, default=0) + 1), "blocks": blocks}


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
    squares: list[list[mpf]] = [[] for _ in state["v"]]
    for block, g in zip(state["blocks"], gradient, strict=True):
        squares[block].append(a(g * g))
    means = [a(a.total(block) / max(1, len(block))) for block in squares]
    v = a.store([a(b2 * old) + a((1 - b2) * mean) for old, mean in zip(state["v"], means, strict=True)])
    m = a.store([a(b1 * old) + a((1 - b1) * g) for old, g in zip(state["m"], gradient, strict=True)])
    state.update(m=m, v=v)
    roots = [a(a(mpmath.sqrt(a(vi / a.bias_correction(b2, t)))) + eps) for vi in v]
    return [
        a(a(1 - lr * decay) * old) - a(lr * a(a(mi / a.bias_correction(b1, t)) / roots[block]))
        for old, mi, block in zip(theta, m, state["blocks"], strict=True)
    ]
