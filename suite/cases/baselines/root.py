"""ROOT's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, matrix

OPTIMIZER = "ROOT"
HEADER = [
    "ROOT: momentum whose outliers are clipped and whose singular values are then brought near 1 by five iterations of",
    "Newton-Schulz, with coefficients by shape. It takes matrices; other tensors get AdamW.",
]
NOTES: dict[str, dict[str, object]] = {}

#: Wide, tall and square; 15, 10 and 9 elements, so that the quantile lies between two of them.
_MATRICES = ((3, 5), (5, 2), (3, 3))


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625}, seed=21, steps=4, shapes=_MATRICES)
    yield from usual_cases(
        "no-nesterov", {"lr": 0.015625, "nesterov": False, "momentum": 0.75}, seed=22, steps=3, shapes=_MATRICES
    )
    params, gradients = trajectory(23, 3, _MATRICES)
    for name, q, what in (
        ("half", 0.5, "half of the elements are clipped"),
        ("whole", 1.0, "nothing is clipped"),
    ):
        yield Case(f"quantile-{name}/run", what, {"lr": 0.0625, "quantile": q}, params, gradients)
    yield Case(
        "no-momentum/run",
        "each step is that of its gradient alone",
        {"lr": 0.0625, "momentum": 0.0},
        params,
        gradients,
    )
    for name, coefficients, what in (
        ("triple", [3.0, -4.0, 2.0], "other coefficients, whatever the shape"),
        (
            "shapes",
            {"3x5": [3.25, -4.5, 2.0], "2x5": [2.0, -1.5, 0.5], "5x5": [1.0, 0.0, 0.0]},
            "coefficients of a wide and a tall matrix's shape; the square one, not among them, has Muon's",
        ),
    ):
        yield Case(f"{name}/run", what, {"lr": 0.0625, "coefficients": coefficients}, params, gradients)
    yield Case(
        "outlier/run",
        "an element a thousand times the others",
        {"lr": 0.0625},
        [matrix((1.0, -2.0, 0.5, 0.75), (0.5, 1.5, -1.0, 2.0), (-1.0, 0.25, 1.25, -0.5))],
        [
            [matrix((0.5, -0.25, 0.75, 0.375), (256.0, 0.5, -0.375, 0.25), (-0.625, 0.875, 0.125, 0.5))],
            [matrix((-0.25, 0.5, 0.375, 0.75), (0.5, -0.75, 0.25, 0.125), (0.375, 0.25, -0.5, 0.625))],
        ],
    )
    yield Case(
        "mostly-zero/run",
        "the quantile is 0: what is left is clipped to 1e-9, which eps is a hundred times as large as",
        {"lr": 0.0625},
        [matrix((1.0, -2.0, 0.5, 0.75), (0.5, 1.5, -1.0, 2.0), (-1.0, 0.25, 1.25, -0.5))],
        [[matrix((0.0,) * 4, (0.0, 0.5, 0.0, 0.0), (0.0,) * 4)]] * 2,
    )
    yield Case(
        "zero-gradients/run",
        "a matrix without any gradient decays and does not move else",
        {"lr": 0.0625, "weight_decay": 0.5},
        [matrix((1.0, -2.0), (0.5, 0.75))],
        [[matrix((0.0, 0.0), (0.0, 0.0))]] * 2,
    )
    params, gradients = trajectory(24, 3, ((1, 6), (6, 1), (1, 1)))
    yield Case("one-sided/run", "matrices of one row or column", {"lr": 0.015625}, params, gradients)
    yield from usual_cases(
        "fallback",
        {"lr": 0.015625, "momentum": 0.5, "adamw_beta1": 0.75, "adamw_beta2": 0.9375, "adamw_eps": 0.125},
        seed=25,
        steps=3,
        shapes=((4,), (), (2, 1, 3)),
    )
    yield from invalid_cases(betas=("momentum", "adamw_beta1", "adamw_beta2"), others=("adamw_eps",))
    for what, value in {"zero": 0.0, "negative": -0.5, "above-one": 1.5}.items():
        yield InvalidCase(f"quantile/{what}", "quantile is a number in (0, 1]", {"quantile": value})
    for what, wrong in {
        "unknown": "best",
        "two-numbers": [3.0, -4.0],
        "empty": [],
        "triple-by-iteration": [[3.0, -4.0, 2.0]] * 5,
        "larger-side-first": {"5x3": [3.0, -4.0, 2.0]},
        "no-shape": {"small": [3.0, -4.0, 2.0]},
    }.items():
        yield InvalidCase(
            f"coefficients/{what}",
            "coefficients are a name, a triple, or an object of triples by shape",
            {"coefficients": wrong},
        )
