"""Adam-mini's cases."""

from collections.abc import Iterator

from suite.cases.baselines.shared import SHAPES, invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, matrix, vector

OPTIMIZER = "AdamMini"
HEADER = [
    "Adam with one second moment for each block of a tensor. `blocks` says the partition, null or for each tensor:",
    "null is one block; [axis, size] cuts an axis into runs; [axis, [[length, size], ...]] cuts parts of it so.",
]
NOTES: dict[str, dict[str, object]] = {}

#: A matrix by row, a tall one by row, a vector by element, and a tensor without dimensions.
_ROWS = [[0, 1], [0, 1], [0, 1], None]
#: The same where outputs are columns.
_COLUMNS = [[1, 1], [-1, 1], [0, 2], [0, 1]]
_LR = 0.015625


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("whole", {"lr": _LR}, seed=1, steps=5)
    yield from usual_cases("rows", {"lr": _LR, "blocks": _ROWS}, seed=2, steps=5)
    yield from usual_cases("columns", {"lr": _LR, "beta1": 0.5, "beta2": 0.75, "blocks": _COLUMNS}, seed=3, steps=5)
    params, gradients = trajectory(4, 4, shapes=((6, 4), (2, 4), (4,)))
    yield Case(
        "heads-in-rows/run",
        "heads of two rows, three in one matrix and one in the other",
        {"lr": _LR, "blocks": [[0, 2], [0, 2], None]},
        params,
        gradients,
    )
    params, gradients = trajectory(8, 4, shapes=((4, 6), (3, 6)))
    yield Case(
        "heads-in-columns/run",
        "heads of two and of three columns",
        {"lr": _LR, "blocks": [[1, 2], [-1, 3]]},
        params,
        gradients,
    )
    params, gradients = trajectory(5, 5, shapes=((4, 12), (12, 4), (12,)))
    fused = [[8, 2], [4, 1]]
    yield Case(
        "fused/run",
        "queries and keys in heads of two, values by neuron, in columns and in rows; their biases by element",
        {"lr": _LR, "weight_decay": 0.5, "blocks": [[1, fused], [0, fused], [0, 1]]},
        params,
        gradients,
    )
    params, gradients = trajectory(6, 4, shapes=((4, 2, 3), (2, 1, 2, 4)))
    yield Case(
        "axes/run",
        "more than two axes: by the first, and by the last",
        {"lr": _LR, "blocks": [[0, 1], [-1, 2]]},
        params,
        gradients,
    )
    params, gradients = trajectory(7, 5, shapes=SHAPES)
    yield Case(
        "large-eps/run",
        "eps as large as the root of the second moment",
        {"lr": 0.0625, "eps": 0.25, "blocks": _ROWS},
        params,
        gradients,
    )
    yield Case(
        "zero-gradients/run",
        "a row without any gradient stays where it is; an element without one does too, beside others of its block",
        {"lr": _LR, "blocks": [[0, 1], None]},
        [matrix((1.0, -2.0), (0.5, 1.5)), vector(1.0, -1.0)],
        [
            [matrix((0.0, 0.0), (0.5, 0.0)), vector(0.0, 0.5)],
            [matrix((0.0, 0.0), (0.0, -0.25)), vector(0.0, 0.25)],
            [matrix((0.125, 0.25), (0.0, 0.0)), vector(0.0, -0.5)],
        ],
    )
    yield from invalid_cases(betas=("beta1", "beta2"), others=("eps",))
