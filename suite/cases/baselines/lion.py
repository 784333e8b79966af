"""Lion's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, usual_cases
from suite.cases.model import Case, InvalidCase, vector

OPTIMIZER = "Lion"
HEADER = ["Lion: the sign of a mean of momentum and gradient other than the one that is kept. It takes every tensor."]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=81)
    yield from usual_cases("fast-moments", {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75}, seed=82)
    yield Case(
        "zero-gradients/run",
        "the sign of nothing is 0; that of a momentum without a gradient is the momentum's",
        {"lr": 0.015625},
        [vector(1.0, -2.0)],
        [[vector(0.0, 0.5)], [vector(0.0, 0.0)], [vector(0.0, -0.25)]],
    )
    yield from invalid_cases(betas=("beta1", "beta2"))
