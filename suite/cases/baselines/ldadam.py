"""LDAdam's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase

OPTIMIZER = "LDAdam"
HEADER = [
    "LDAdam: Adam on a projection of matrices to a few dimensions of the smaller side, which one power iteration turns",
    "in every step, and feedback of what is lost. Tensors that are no matrices get AdamW.",
    "The signs of the projection's columns cancel in the parameters, and their order is that of singular values apart.",
]
NOTES: dict[str, dict[str, object]] = {}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=1)
    yield from usual_cases("rank-2", {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75, "rho": 0.5, "rank": 2}, seed=6)
    wide_and_tall = ((4, 6), (6, 4))
    params, gradients = trajectory(3, 8, wide_and_tall)
    yield Case(
        "rank-2/longer",
        "eight steps of a wide and a tall matrix: subspaces turn, errors come back",
        {"lr": 0.015625, "rank": 2},
        params,
        gradients,
    )
    yield Case(
        "rank-1/longer",
        "a single direction, and large eps",
        {"lr": 0.0625, "rank": 1, "beta1": 0.75, "eps": 0.125},
        params,
        gradients,
    )
    params, gradients = trajectory(4, 5, ((3, 3),))
    yield Case(
        "rank-1/square", "a square matrix is projected from the left", {"lr": 0.015625, "rank": 1}, params, gradients
    )
    params, gradients = trajectory(5, 5)
    for rho in (0.0, 0.984375):
        yield Case(
            f"rho-{'zero' if rho == 0 else 'large'}/run",
            "the subspace follows the gradient alone" if rho == 0 else "the subspace follows the momentum",
            {"lr": 0.015625, "rank": 2, "rho": rho},
            params,
            gradients,
        )
    yield Case(
        "without-momentum/run",
        "beta1 0: nothing is fed back of the momentum",
        {"lr": 0.015625, "rank": 2, "beta1": 0.0},
        params,
        gradients,
    )
    yield Case(
        "adamw/other-settings",
        "the hyperparameters of the tensors that are no matrices",
        {"lr": 0.015625, "rank": 1, "adamw_beta1": 0.5, "adamw_beta2": 0.75, "adamw_eps": 0.125, "weight_decay": 0.25},
        params,
        gradients,
    )
    yield from invalid_cases(
        positive=("eps",), betas=("beta1", "beta2", "rho", "adamw_beta1", "adamw_beta2"), others=("adamw_eps",)
    )
    for what, value in {"zero": 0, "negative": -1, "fraction": 1.5}.items():
        yield InvalidCase(f"rank/{what}", "rank is a whole number >= 1", {"rank": value})
