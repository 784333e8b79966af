"""8-bit Adam's cases."""

import dataclasses
from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, Tensor, scalar, vector

OPTIMIZER = "Adam8bit"
HEADER = [
    "AdamW whose moments are kept in 8 bits: blockwise dynamic quantisation, the signed code for the first moment, the",
    "unsigned one for the second. It takes every tensor; those of fewer than min_8bit_size elements are not quantised.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases. The data of each are such that no number lies between two codes."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=1, steps=3)
    yield from usual_cases("quantised", {"lr": 0.015625, "min_8bit_size": 1}, seed=11)
    fast = {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75, "min_8bit_size": 1, "block_size": 3}
    yield from usual_cases("fast-moments", fast, seed=2)
    params, gradients = trajectory(3, 5)
    yield Case(
        "large-eps/run",
        "eps as large as the root of the second moment",
        {"lr": 0.0625, "eps": 0.25, "weight_decay": 0.0, "min_8bit_size": 1, "block_size": 4},
        params,
        gradients,
    )
    params, gradients = trajectory(1, 5, shapes=((4,), (5,), (2, 3)))
    yield Case(
        "min-8bit-size/run",
        "a tensor of 4 elements is not quantised, those of 5 and 6 are",
        {"lr": 0.015625, "weight_decay": 0.0, "min_8bit_size": 5},
        params,
        gradients,
    )
    params, gradients = trajectory(5, 3, shapes=((3, 100),))
    yield Case(
        "block-256/run",
        "a block of 256 elements, which ends within a row, and a last one of 44, whose gradients are smaller",
        {"lr": 0.015625, "weight_decay": 0.0, "min_8bit_size": 300},
        params,
        [[_scaled(tensor, 256, 2.0**-6)] for (tensor,) in gradients],
    )
    yield Case(
        "decades/run",
        "gradients over all decades of the code, and below them: what is kept of those is 0",
        {"lr": 0.015625, "weight_decay": 0.0, "min_8bit_size": 1},
        [vector(1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.5, -1.5, 1.25, -1.25, 0.75, -0.75)],
        [
            [vector(1.0, -0.31, 0.062, -0.0083, 1.7e-3, -4.1e-4, 2.3e-5, -7.7e-6, 1.3e-6, -3.1e-7, 2e-8, 0.0)],
            [vector(0.9, 0.27, 0.041, 0.0077, -2.9e-3, 3.3e-4, 1.9e-5, 6.1e-6, -1.1e-6, 2.3e-7, -3e-8, 0.0)],
            [vector(-0.8, 0.23, -0.037, 0.0061, 2.1e-3, 2.7e-4, -1.7e-5, 5.3e-6, 0.9e-6, 1.9e-7, 1e-8, 0.0)],
        ],
    )
    yield Case(
        "sign/run",
        "1 is a value of the signed code, -1 is none: a negative moment alone in its block shrinks in each step",
        {"lr": 0.015625, "weight_decay": 0.0, "min_8bit_size": 0},
        [scalar(1.0), scalar(1.0)],
        [[scalar(0.5), scalar(-0.5)], [scalar(0.25), scalar(-0.25)], [scalar(0.125), scalar(-0.125)]],
    )
    yield Case(
        "zero-gradients/run",
        "a block without any gradient stays where it is",
        {"lr": 0.015625, "weight_decay": 0.0, "min_8bit_size": 1, "block_size": 2},
        [vector(1.0, -2.0, 0.5, 1.5)],
        [[vector(0.0, 0.0, 0.5, 0.0)], [vector(0.0, 0.0, 0.0, -0.25)], [vector(0.0, 0.0, 0.125, 0.25)]],
    )
    yield from invalid_cases(betas=("beta1", "beta2"), others=("eps",))
    yield InvalidCase("min_8bit_size/negative", "min_8bit_size is a whole number >= 0", {"min_8bit_size": -1})
    yield InvalidCase("min_8bit_size/fraction", "min_8bit_size is a whole number >= 0", {"min_8bit_size": 0.5})
    yield InvalidCase("block_size/zero", "block_size is a whole number >= 1", {"block_size": 0})
    yield InvalidCase("block_size/fraction", "block_size is a whole number >= 1", {"block_size": 2.5})


def _scaled(tensor: Tensor, start: int, factor: float) -> Tensor:
    """The tensor with its elements from ``start`` on multiplied."""
    data = tensor.data[:start] + tuple(x * factor for x in tensor.data[start:])
    return dataclasses.replace(tensor, data=data)
