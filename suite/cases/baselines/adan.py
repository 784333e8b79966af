"""Adan's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, vector

OPTIMIZER = "Adan"
HEADER = [
    "Adan as its authors' code has it: averages of the gradient, of its difference from the one before, and of the",
    "square of what both foretell, each with its bias correction. It takes every tensor.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=61)
    yield from usual_cases("no-prox", {"lr": 0.015625, "no_prox": True}, seed=62)
    params, gradients = trajectory(63, 6)
    betas = {"beta1": 0.5, "beta2": 0.75, "beta3": 0.875}
    yield Case(
        "fast-moments/run",
        "three decay rates of which none is close to 1",
        {"lr": 0.015625, **betas},
        params,
        gradients,
    )
    yield Case(
        "large-eps/run",
        "eps as large as the roots that it is added to, after bias correction",
        {"lr": 0.0625, "eps": 0.25, **betas},
        params,
        gradients,
    )
    yield Case(
        "large-decay/run",
        "the two forms of decay are an eighth apart",
        {"lr": 0.25, "weight_decay": 2.0, "eps": 1.0},
        params,
        gradients,
    )
    yield Case(
        "constant-gradients/run",
        "without differences a step is Adam's",
        {"lr": 0.015625, **betas},
        [vector(1.0, -2.0)],
        [[vector(0.5, -0.25)]] * 4,
    )
    yield Case(
        "zero-gradients/run",
        "a coordinate without any gradient stays, and one whose gradient comes later has a difference then",
        {"lr": 0.015625},
        [vector(1.0, -2.0, 0.5)],
        [[vector(0.0, 0.5, 0.0)], [vector(0.0, 0.0, 0.75)], [vector(0.0, -0.25, 0.5)]],
    )
    yield from invalid_cases(betas=("beta1", "beta2", "beta3"), others=("eps",))
