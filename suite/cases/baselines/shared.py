"""Data and cases that the baselines share."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from suite.cases.model import Case, InvalidCase, Tensor

#: A matrix that is wide, one that is tall, a vector, and a tensor without dimensions.
SHAPES = ((3, 5), (5, 2), (4,), ())


def trajectory(
    seed: int, steps: int, shapes: Sequence[tuple[int, ...]] = SHAPES, digits: int = 3
) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Parameters of size 1/2 to 2, and per step gradients of size 1/4 to 1 with random signs.

    Args:
        seed: The same seed gives the same data.
        steps: Number of steps.
        shapes: Of the tensors.
        digits: Decimal digits of every number, so that the vectors stay readable.
    """
    generator = random.Random(seed)

    def tensor(shape: tuple[int, ...], low: float, high: float) -> Tensor:
        data = (
            round(generator.uniform(low, high) * generator.choice((-1, 1)), digits) for _ in range(math.prod(shape))
        )
        return Tensor(shape, tuple(data))

    params = [tensor(shape, 0.5, 2.0) for shape in shapes]
    return params, [[tensor(shape, 0.25, 1.0) for shape in shapes] for _ in range(steps)]


def usual_cases(
    name: str,
    setting: dict[str, Any],
    seed: int,
    steps: int = 6,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
) -> Iterator[Case]:
    """What every rule is asked in one of its settings: a free run, decay, a schedule, a tensor that rests.

    Args:
        name: Of the setting, the first part of the cases' ids.
        setting: Hyperparameters that differ from the rule's defaults. The rate should move a parameter by a good part
            of its size, so that errors show.
        seed: Of the data.
        steps: Number of steps.
        shapes: Of the tensors.
    """
    params, gradients = trajectory(seed, steps, shapes)
    yield Case(f"{name}/run", "a free run from a fresh start", {"weight_decay": 0.0, **setting}, params, gradients)
    yield Case(f"{name}/decay", "with weight decay", {**setting, "weight_decay": 0.5}, params, gradients)
    rate = setting.get("lr", 1e-3)
    yield Case(
        f"{name}/schedule",
        "a learning rate that changes in every step; the last one is 0 and moves nothing, decay included",
        {**setting, "weight_decay": 0.5},
        params,
        gradients,
        lrs=[round(rate * (1 - step / (steps - 1)) ** 2, 9) for step in range(steps)],
    )


def invalid_cases(
    positive: Sequence[str] = (), betas: Sequence[str] = (), others: Sequence[str] = ()
) -> Iterator[InvalidCase]:
    """Hyperparameters that must be refused.

    Args:
        positive: Names of those that must be finite and > 0.
        betas: Names of decay rates in [0, 1).
        others: Names of those that must be finite and >= 0, beside the learning rate and the weight decay.
    """
    for name in ("lr", "weight_decay", *others, *positive):
        wanted = f"{name} is a finite number {'> 0' if name in positive else '>= 0'}"
        bad = {"negative": -1e-3, "nan": math.nan, "infinite": math.inf}
        for what, value in (bad | {"zero": 0.0} if name in positive else bad).items():
            yield InvalidCase(f"{name}/{what}", wanted, {name: value})
    for name in betas:
        for what, value in {"negative": -0.1, "one": 1.0, "nan": math.nan}.items():
            yield InvalidCase(f"{name}/{what}", f"{name} is a number in [0, 1)", {name: value})
