"""Two optimizers timed in turn in one process, so that what disturbs the machine disturbs both."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.names import check_name, load_framework
from bench.tasks import MODELS, Hyperparameters, parameter_shapes

BASELINE = "adamw"
WARMUP_ROUNDS = 2
"""Rounds that are not counted: the first compiles and creates state, the second sees the first moment filled."""
MIN_ROUNDS, MAX_ROUNDS = 5, 40
SECONDS = 5.0
"""Rounds go on until so many seconds are spent, within the two limits above: 40 rounds of small steps, fewer of
steps on large models, so that all of them together are measured in minutes."""
LEARNING_RATE = 1e-3
SEED = 20250118


def shapes_of(model: str) -> list[tuple[int, ...]]:
    """The tensors of a model of `bench.tasks.MODELS`.

    Raises:
        ValueError: There is no such model.
    """
    return list(parameter_shapes(MODELS[check_name("model", model, MODELS)]).values())


def measure(framework: str, optimizer: str, model: str) -> dict[str, list[float]]:
    """Times the optimizer's step and the framework's AdamW on the same fresh gradients, in turn.

    Gradients have random signs that are independent from step to step, so that about half of the
    coordinates disagree with their history, as in training.

    Args:
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A key of the framework's `OPTIMIZERS`. AdamW against itself shows the noise.
        model: A key of `bench.tasks.MODELS`.

    Returns:
        "seconds" and "baselineSeconds", one entry for each round.
    """
    module = load_framework(framework)
    gradients = Gradients(shapes_of(model))
    values = gradients.draw()
    measured, baseline = (
        module.OptimizerStep(name, values, LEARNING_RATE, Hyperparameters()) for name in (optimizer, BASELINE)
    )

    def fresh() -> Any:
        return module.OptimizerStep.gradients(gradients.draw())

    seconds, baseline_seconds = paired_seconds(measured.run, baseline.run, fresh)
    return {"seconds": seconds, "baselineSeconds": baseline_seconds}


def paired_seconds(
    first: Callable[[Any], object], second: Callable[[Any], object], fresh: Callable[[], Any]
) -> tuple[list[float], list[float]]:
    """Seconds of each call of two functions on the same fresh argument, round by round.

    Which of the two begins changes from round to round, so that neither always finds the caches warmer.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    runs = list(zip((first, second), seconds, strict=True))
    begin = math.inf
    for done in range(-WARMUP_ROUNDS, MAX_ROUNDS):
        if done == 0:
            begin = time.perf_counter()
        if done >= MIN_ROUNDS and time.perf_counter() - begin > SECONDS:
            break
        argument = fresh()
        for run, collected in runs if done % 2 else reversed(runs):
            start = time.perf_counter()
            run(argument)
            elapsed = time.perf_counter() - start
            if done >= 0:
                collected.append(elapsed)
    return seconds


def ratios(measured: Mapping[str, Sequence[float]]) -> list[float]:
    """Of a result of `measure`: each round's seconds relative to the baseline's."""
    return [a / b for a, b in zip(measured["seconds"], measured["baselineSeconds"], strict=True)]


def interquartile_range(values: Sequence[float]) -> float:
    """Distance between the quartiles."""
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return upper - lower


class Gradients:
    """Arrays of given shapes filled with N(0, 0.001²), new at each draw, at the cost of none.

    They are views of one pool of random numbers, each at a random place: drawing 124 million
    numbers anew each round would take longer than the steps that are timed.

    Args:
        shapes: Shapes of the arrays.
    """

    ALIGNMENT = 16  # of float32: views begin at multiples of 64 bytes, as allocators' arrays do
    PLACES = 2**14

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        import numpy as np

        self._shapes = shapes
        self._generator = np.random.Generator(np.random.PCG64(SEED))
        longest = max(math.prod(shape) for shape in shapes)
        size = longest + self.ALIGNMENT * self.PLACES
        pool = np.empty(size + self.ALIGNMENT, np.float32)
        start = -(pool.ctypes.data // pool.itemsize) % self.ALIGNMENT
        self._pool = pool[start : start + size]
        self._generator.standard_normal(out=self._pool, dtype=np.float32)
        self._pool *= 1e-3

    def draw(self) -> list[Any]:
        """NumPy views that share memory: read only, valid as long as this object."""
        places = self._generator.integers(0, self.PLACES, len(self._shapes)) * self.ALIGNMENT
        return [
            self._pool[place : place + math.prod(shape)].reshape(shape)
            for place, shape in zip(places.tolist(), self._shapes, strict=True)
        ]
