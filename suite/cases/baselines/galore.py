"""GaLore's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase

OPTIMIZER = "GaLore"
HEADER = [
    "GaLore: Adam in the space of a gradient's leading singular vectors. It takes matrices; other tensors get AdamW.",
    "The order of singular vectors is clear everywhere. Their signs matter in cases that go on with a second basis,",
    "which are flagged; there the specification chooses them, and clearly.",
]

#: Cases whose moments are carried from one basis to another.
CARRIED = "CarriedMoments"

NOTES: dict[str, dict[str, object]] = {
    CARRIED: {
        "kind": "convention",
        "description": "Moments are carried from one basis to the next, so that the signs of the new singular vectors "
        "decide how the momentum goes on. The paper leaves them to the library's decomposition; here each vector's "
        "inner product with the one before it is positive.",
        "effect": "An implementation that takes the signs as its library returns them differs after a second basis.",
        "links": ["https://arxiv.org/abs/2403.03507"],
    }
}

#: Wide, tall and square.
_MATRICES = ((3, 5), (5, 3), (3, 3))


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("one-basis", {"lr": 0.015625, "rank": 2, "scale": 1.0}, seed=21, shapes=_MATRICES)
    params, gradients = trajectory(22, 4, _MATRICES)
    yield Case(
        "one-basis/scale",
        "the scale, fast moments, eps as large as the roots that it is added to, and decay, which they have no part in",
        {"lr": 0.0625, "rank": 1, "beta1": 0.5, "beta2": 0.75, "eps": 0.125, "scale": 0.25, "weight_decay": 0.5},
        params,
        gradients,
    )
    params, gradients = trajectory(23, 3, ((3, 5), (5, 2), (1, 4), (4, 1)))
    yield Case(
        "full-rank/run",
        "a rank that no matrix has, so that nothing is lost",
        {"lr": 0.015625, "rank": 8, "scale": 1.0},
        params,
        gradients,
    )
    params, gradients = trajectory(24, 5, _MATRICES)
    for gap in (1, 2):
        yield Case(
            f"refreshed/gap-{gap}",
            "several bases, through which the moments are carried",
            {"lr": 0.015625, "rank": 2, "update_proj_gap": gap, "scale": 1.0},
            params,
            gradients,
            flags=[CARRIED],
        )
    yield from usual_cases(
        "fallback",
        {
            "lr": 0.015625,
            "beta1": 0.5,
            "eps": 0.5,
            "scale": 2.0,
            "adamw_beta1": 0.75,
            "adamw_beta2": 0.9375,
            "adamw_eps": 0.125,
        },
        seed=25,
        shapes=((4,), (), (2, 1, 3)),
    )
    yield from invalid_cases(
        positive=("scale",), betas=("beta1", "beta2", "adamw_beta1", "adamw_beta2"), others=("eps", "adamw_eps")
    )
    for name in ("rank", "update_proj_gap"):
        for what, value in {"zero": 0, "negative": -1, "fraction": 1.5}.items():
            yield InvalidCase(f"{name}/{what}", f"{name} is a whole number >= 1", {name: value})
