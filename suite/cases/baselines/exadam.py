"""EXAdam's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, vector

OPTIMIZER = "EXAdam"
HEADER = [
    "EXAdam as in the second version of its paper: corrections that depend on both moments, and the gradient added to",
    "the first moment. It takes every tensor.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=1)
    yield from usual_cases("fast-moments", {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75}, seed=2)
    params, gradients = trajectory(3, 5)
    yield Case(
        "large-eps/run",
        "eps as large as the squares: the denominators of both corrections",
        {"lr": 0.0625, "eps": 0.125},
        params,
        gradients,
    )
    yield Case(
        "dynamic-step-size/decay",
        "the first version's factor of the rate, which the decay has no part in",
        {"lr": 0.015625, "dynamic_step_size": True, "weight_decay": 0.5},
        params,
        gradients,
    )
    yield Case(
        "zero-gradients/run",
        "a coordinate without any gradient stays where it is",
        {"lr": 0.015625},
        [vector(1.0, -2.0)],
        [[vector(0.0, 0.5)], [vector(0.0, 0.0)], [vector(0.0, -0.25)]],
    )
    yield from invalid_cases(positive=("eps",), betas=("beta1", "beta2"))
