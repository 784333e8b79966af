"""Conda's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase

OPTIMIZER = "Conda"
HEADER = [
    "Conda: Adam whose second moment is that of the gradient in the basis of the momentum's singular vectors. It takes",
    "matrices; other tensors get AdamW. The signs of singular vectors do not matter here, and their order is clear.",
]
NOTES: dict[str, dict[str, object]] = {}

#: Wide, tall and square.
_MATRICES = ((3, 5), (5, 2), (3, 3))


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=11, shapes=_MATRICES)
    yield from usual_cases("refreshed", {"lr": 0.015625, "update_proj_gap": 2}, seed=12, shapes=_MATRICES)
    params, gradients = trajectory(13, 4, _MATRICES)
    yield Case(
        "every-step/run",
        "a new basis in every step, fast moments, and a scale",
        {"lr": 0.0625, "update_proj_gap": 1, "beta1": 0.5, "beta2": 0.75, "scale": 0.25},
        params,
        gradients,
    )
    yield Case(
        "large-eps/decay",
        "eps as large as the roots that it is added to, and the scale, which the decay has no part in",
        {"lr": 0.0625, "eps": 0.125, "scale": 2.0, "weight_decay": 0.5},
        params,
        gradients,
    )
    params, gradients = trajectory(14, 4, ((1, 4), (4, 1), (1, 1)))
    yield Case(
        "one-sided/run",
        "matrices of one row or column, which have one singular vector",
        {"lr": 0.015625, "update_proj_gap": 2},
        params,
        gradients,
    )
    yield from usual_cases(
        "fallback",
        {"lr": 0.015625, "beta1": 0.5, "scale": 2.0, "adamw_beta1": 0.75, "adamw_beta2": 0.9375, "adamw_eps": 0.125},
        seed=15,
        shapes=((4,), (), (2, 1, 3)),
    )
    yield from invalid_cases(
        positive=("scale",), betas=("beta1", "beta2", "adamw_beta1", "adamw_beta2"), others=("eps", "adamw_eps")
    )
    for what, value in {"zero": 0, "negative": -1, "fraction": 1.5}.items():
        yield InvalidCase(
            f"update_proj_gap/{what}", "update_proj_gap is a whole number >= 1", {"update_proj_gap": value}
        )
