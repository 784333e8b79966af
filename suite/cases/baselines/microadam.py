"""MicroAdam's cases."""

import math
from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, vector

OPTIMIZER = "MicroAdam"
HEADER = [
    "MicroAdam: Adam on the largest elements of the last gradients, and 4 bits of what is left of each. It takes every",
    "tensor. Choices, whole numbers and bfloat16 values are kept away from where two are equally near.",
]
NOTES: dict[str, dict[str, object]] = {}

#: Half of each block of up to four elements.
_HALF = {"lr": 0.015625, "density": 0.5, "block_size": 4}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=1)
    yield from usual_cases("half", {**_HALF, "beta1": 0.5, "beta2": 0.75, "window": 3}, seed=2)
    params, gradients = trajectory(3, 13, ((12,),))
    yield Case(
        "window/longer", "the first gradients leave a window of ten", {**_HALF, "beta2": 0.96875}, params, gradients
    )
    params, gradients = trajectory(4, 5, ((10,), (9,), (2, 5), (1,)))
    yield Case(
        "blocks/uneven",
        "10 elements make blocks of 4, 4 and 2, and 9 make three of 3",
        {**_HALF, "beta1": 0.5, "beta2": 0.75},
        params,
        gradients,
    )
    yield Case(
        "blocks/one-element",
        "blocks of one element: nothing is left over",
        {"lr": 0.015625, "block_size": 1, "beta2": 0.75},
        params,
        gradients,
    )
    yield Case(
        "density/one",
        "everything is kept: Adam that forgets after two gradients",
        {"lr": 0.015625, "density": 1.0, "window": 2, "beta1": 0.5, "beta2": 0.75},
        params,
        gradients,
    )
    yield Case(
        "window/one",
        "one gradient, and no memory but the error, with large eps",
        {**_HALF, "window": 1, "eps": 0.125},
        params,
        gradients,
    )
    zero = vector(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    yield Case(
        "zero-gradients/run",
        "a first gradient of zeros, and one element that never has another but is given an error",
        {"lr": 0.015625, "density": 0.25, "beta2": 0.75},
        [vector(1.0, -2.0, 0.5, -0.75, 1.25, 1.5)],
        [
            [zero],
            [vector(0.0, 0.5, -0.28, 0.66, 0.31, -0.8)],
            [zero],
            [vector(0.0, -0.27, 0.43, 0.16, -0.61, 0.09)],
            [vector(0.0, 0.1, -0.12, 0.05, 0.01, -0.02)],
        ],
    )
    yield from invalid_cases(positive=("eps",), betas=("beta1", "beta2"))
    for what, number in {"negative": -0.5, "zero": 0.0, "above-one": 1.5, "nan": math.nan}.items():
        yield InvalidCase(f"density/{what}", "density is a number in (0, 1]", {"density": number})
    for what, count in {"zero": 0, "negative": -1, "fraction": 1.5}.items():
        yield InvalidCase(f"window/{what}", "window is a whole number >= 1", {"window": count})
    for what, count in {"zero": 0, "fraction": 1.5, "beyond-16-bits": 32769}.items():
        yield InvalidCase(f"block_size/{what}", "block_size is a whole number from 1 to 32768", {"block_size": count})
