"""SGD's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase

OPTIMIZER = "SGD"
HEADER = [
    "SGD with momentum, plain and Nesterov's, and with decoupled weight decay, which is no part of the momentum.",
    "It takes every tensor.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=71)
    yield from usual_cases("nesterov", {"lr": 0.015625, "nesterov": True, "momentum": 0.75}, seed=72)
    params, gradients = trajectory(73, 3)
    yield Case(
        "no-momentum/decay",
        "the gradient alone",
        {"lr": 0.125, "momentum": 0.0, "weight_decay": 0.5},
        params,
        gradients,
    )
    yield from invalid_cases(betas=("momentum",))
