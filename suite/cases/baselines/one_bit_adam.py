"""1-bit Adam's cases."""

from collections.abc import Iterator, Sequence

from suite.cases.baselines.shared import invalid_cases, trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, Tensor, vector
from suite.cases.notes import notes

OPTIMIZER = "OneBitAdam"
HEADER = [
    "1-bit Adam as in algorithm 1 of its paper, with one, two and four workers: Adam up to freeze_step; after that the",
    "second moment is frozen, and the momentum is compressed by each worker and by the servers of its chunks. It takes",
    "every tensor. Of several workers the first has the gradients of a step, the others gradients2, gradients3 and",
    "gradients4.",
]
NOTES = notes("Workers")

#: Chunks of 18 and 17 elements for two workers; of 9, 9, 9 and 8, of 3, 3, 3 and 1, and of one and none for four.
_SHAPES = ((5, 7), (5, 2), (4,), ())


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    yield from usual_cases("default", {"lr": 0.015625, "freeze_step": 2}, seed=1, steps=5)
    fast = {"lr": 0.03125, "beta1": 0.5, "beta2": 0.75, "freeze_step": 2}
    yield from usual_cases("fast-moments", fast, seed=2, steps=4)
    corrected = {"lr": 0.03125, "freeze_step": 2, "bias_correction": True}
    yield from usual_cases("bias-correction", corrected, seed=5, steps=4)
    params, gradients = trajectory(4, 3)
    yield Case("warm-up/only", "never compressed", {"lr": 0.015625, "freeze_step": 3}, params, gradients)
    yield Case("warm-up/one-step", "the shortest warm-up", {"lr": 0.015625, "freeze_step": 1}, params, gradients)
    yield Case(
        "large-eps/run",
        "eps as large as the root of the second moment, which it is added to",
        {"lr": 0.0625, "eps": 0.125, "freeze_step": 2},
        params,
        gradients,
    )
    yield Case(
        "zero/no-gradient-in-the-warm-up",
        "a coordinate without second moment does not move, whatever comes later; another begins in the last step",
        {"lr": 0.015625, "freeze_step": 2, "weight_decay": 0.5},
        [vector(1.0, -2.0, 0.5)],
        [[vector(*g)] for g in ((0.0, 0.5, 0.0), (0.0, 0.75, -0.5), (0.5, -0.25, 0.5), (0.0, 0.5, 0.25))],
    )
    yield Case(
        "zero/counts-as-plus",
        "a momentum of exactly 0, where there was a gradient before",
        {"lr": 0.015625, "beta1": 0.0, "freeze_step": 2},
        [vector(1.0, -2.0, 0.5)],
        [[vector(*g)] for g in ((0.5, 0.5, -0.5), (0.0, 0.75, -0.25), (0.0, -0.25, 0.5), (0.0, 0.5, 0.25))],
    )
    for workers in (2, 4):
        yield from _with_workers(workers)
    for what, value in {"zero": 0, "negative": -1, "fraction": 1.5}.items():
        yield InvalidCase(f"freeze_step/{what}", "freeze_step is a whole number >= 1", {"freeze_step": value})
    yield from invalid_cases(positive=("eps",), betas=("beta1", "beta2"))


def _with_workers(workers: int) -> Iterator[Case]:
    setting = {"lr": 0.015625, "freeze_step": 2}
    name = f"{workers}-workers"
    seed = {2: 20, 4: 10}[workers]  # with others some sum comes too close to 0
    flags = ["Workers"]

    def data(shapes: Sequence[tuple[int, ...]], steps: int) -> tuple[list[Tensor], list[list[Tensor]], list]:
        params, gradients = trajectory(seed, steps, shapes)
        others = {f"gradients{worker}": trajectory(seed + worker, steps, shapes)[1] for worker in range(2, workers + 1)}
        return params, gradients, [{key: each[step] for key, each in others.items()} for step in range(steps)]

    params, gradients, inputs = data(_SHAPES, 5)
    yield Case(f"{name}/run", "errors on both sides", setting, params, gradients, flags=flags, inputs=inputs)
    params, gradients, inputs = data(_SHAPES[1:], 4)
    yield Case(
        f"{name}/schedule",
        "with weight decay, bias correction and a learning rate that changes in every step",
        {**setting, "weight_decay": 0.5, "bias_correction": True},
        params,
        gradients,
        lrs=[0.03125, 0.015625, 0.0078125, 0.0],
        flags=flags,
        inputs=inputs,
    )
