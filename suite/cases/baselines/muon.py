"""Muon's cases: settings that each library has some of."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase

OPTIMIZER = "Muon"
HEADER = [
    "Muon: momentum whose singular values are brought near 1 by Newton-Schulz. It takes matrices; other tensors get",
    "AdamW. Libraries scale an update in three ways, and place eps differently: where eps is 0, all are one rule.",
]
NOTES: dict[str, dict[str, object]] = {}

#: Wide, tall and square.
_MATRICES = ((3, 5), (5, 2), (3, 3))
_RATE = {"lr": 0.015625}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", _RATE, seed=31, steps=4, shapes=_MATRICES)
    yield from usual_cases("no-eps", {**_RATE, "eps": 0.0}, seed=32, steps=3, shapes=_MATRICES)
    yield from usual_cases("no-nesterov", {**_RATE, "eps": 0.0, "nesterov": False}, seed=33, steps=3, shapes=_MATRICES)
    params, gradients = trajectory(34, 3, _MATRICES)
    for scaling, nesterov, eps in (
        ("rows", True, 0.0),
        ("columns", True, 0.0),
        ("columns", False, 0.0),
        ("none", True, 1e-7),
    ):
        yield Case(
            f"scaling-{scaling}/{'nesterov' if nesterov else 'no-nesterov'}",
            "another scale of the update, which the decay has no part in",
            {"lr": 0.0625, "scaling": scaling, "nesterov": nesterov, "eps": eps, "weight_decay": 0.5},
            params,
            gradients,
        )
    yield Case(
        "coefficients/run",
        "other coefficients, for three iterations, and a fast momentum",
        {"lr": 0.0625, "ns_steps": 3, "ns_coefficients": [2.0, -1.5, 0.5], "momentum": 0.5, "nesterov": False}
        | {"eps": 0.0},
        params,
        gradients,
    )
    yield Case(
        "large-eps/run",
        "eps as large as the norms",
        {"lr": 0.0625, "eps": 1.0, "momentum": 0.5},
        params,
        gradients,
    )
    yield from usual_cases(
        "fallback",
        {**_RATE, "nesterov": False, "eps": 0.0, "adamw_beta1": 0.75, "adamw_beta2": 0.9375, "adamw_eps": 0.0},
        seed=35,
        steps=3,
        shapes=((4,), (), (2, 1, 3)),
    )
    params, gradients = trajectory(36, 3, ((4,), (2, 1, 3)))
    yield Case(
        "fallback-eps/nesterov",
        "AdamW with eps, which is no part of Muon, and without Nesterov's momentum, which is Muon's alone",
        {**_RATE, "eps": 0.125, "adamw_eps": 0.125},
        params,
        gradients,
    )
    yield from invalid_cases(betas=("momentum", "adamw_beta1", "adamw_beta2"), others=("eps", "adamw_eps"))
    yield InvalidCase("scaling/unknown", "scaling is one of the four", {"scaling": "best"})
