"""MGUP's cases."""

import math
from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, matrix, scalar, vector

OPTIMIZER = "MGUP"
HEADER = [
    "MGUP-AdamW: AdamW whose step is longer at the coordinates of a tensor where update and gradient agree most, and",
    "shorter at the others; tau null is the variant that looks at signs and sorts nothing. It takes every tensor.",
]
NOTES: dict[str, dict[str, object]] = {
    "Ties": {
        "kind": "decision",
        "description": "Of elements that agree equally, those that come first in row-major order get the longer step. "
        "The authors' code leaves it to its sorting.",
        "effect": "An implementation with another order of ties differs here alone.",
        "links": ["https://github.com/MaeChd/MGUP"],
    },
}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=1)
    yield from usual_cases("sign", {"lr": 0.015625, "tau": None}, seed=2)
    params, gradients = trajectory(3, 6)
    yield Case(
        "fast-moments/run",
        "both decay rates and all three numbers differ from their defaults",
        {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75, "tau": 0.3, "alpha": 1.5, "gamma": 0.5},
        params,
        gradients,
    )
    yield Case(
        "large-eps/run",
        "eps as large as the root, which is added before bias correction",
        {"lr": 0.0625, "eps": 0.125},
        params,
        gradients,
    )
    yield Case(
        "large-eps/sign",
        "the same in the variant without sorting",
        {"lr": 0.0625, "eps": 0.125, "tau": None, "alpha": 1.25, "gamma": 0.25},
        params,
        gradients,
    )
    yield Case(
        "all/run",
        "tau 1: every element, and a tensor without dimensions too, gets alpha",
        {"lr": 0.015625, "tau": 1.0},
        params,
        gradients,
    )
    yield Case(
        "rest-stands/run",
        "gamma 0: what is not selected decays and does not move",
        {"lr": 0.015625, "gamma": 0.0, "weight_decay": 0.5},
        params,
        gradients,
    )
    zeros = [vector(1.0, -2.0, 0.5), scalar(1.5)]
    yield Case(
        "zero-gradients/sign",
        "a coordinate with history and without gradient is taken as agreeing",
        {"lr": 0.015625, "tau": None},
        zeros,
        [[vector(0.5, -0.25, 0.0), scalar(0.5)], [vector(0.0, 0.5, 0.0), scalar(0.0)]],
    )
    yield Case(
        "tiny-gradients/sign",
        "the products of moment and gradient underflow in float32, their signs do not",
        {"lr": 0.015625, "tau": None, "eps": 1e-30, "beta1": 0.5},
        zeros,
        [[vector(1e-15, -1e-15, 1e-15), scalar(1e-15)], [vector(2e-15, -1e-15, -1.5e-15), scalar(-3e-15)]],
    )
    yield Case(
        "zero-gradients/ties",
        "the rows of an embedding that had no gradient agree equally: the first of them fill the selection",
        {"lr": 0.015625},
        [matrix((1.0, -2.0), (0.5, 1.5), (-1.0, 0.75), (1.25, 2.0))],
        [
            [matrix((0.5, 0.25), (-0.75, 0.5), (0.25, 0.125), (-0.375, 0.625))],
            [matrix((0.0, 0.0), (0.0, 0.0), (0.5, -1.0), (0.0, 0.0))],
            [matrix((0.0, 0.0), (0.25, 0.5), (0.0, 0.0), (0.0, 0.0))],
        ],
        flags=["Ties"],
    )
    yield from invalid_cases(positive=("alpha",), betas=("beta1", "beta2"), others=("eps", "gamma"))
    for what, value in {"zero": 0.0, "negative": -0.5, "above-one": 1.5, "nan": math.nan}.items():
        yield InvalidCase(f"tau/{what}", "tau is a number in (0, 1], or null", {"tau": value})
