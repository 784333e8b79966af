"""Two optimizers timed in turn in one process, so that what disturbs the machine disturbs both."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bench.device import device_of_environment
from bench.names import check_name, load_framework
from bench.tasks import MODELS, Hyperparameters, parameter_shapes

BASELINE = "adamw"
WARMUP_ROUNDS = 2
"""Rounds that are not counted: the first compiles and creates state, the second sees the first moment filled."""
MIN_ROUNDS, MAX_ROUNDS = 6, 40
SECONDS = 5.0
"""Rounds go on until so many seconds are spent, within the two limits above: 40 rounds of small steps, fewer of
steps on large models, so that all of them together are measured in minutes."""
LEARNING_RATE = 1e-3
SEED = 20250118


class Step(Protocol):
    """An optimizer's step that can be repeated, in any framework."""

    def take(self, gradients: Any, /) -> None:
        """Gives the gradients of the next step. Not timed."""

    def run(self) -> None:
        """Does the step. Timed."""


def shapes_of(name: str) -> list[tuple[int, ...]]:
    """The tensors of a model of `bench.tasks.MODELS`, or of "100x1000": 100 tensors of 1000 elements.

    Raises:
        ValueError: There is no such model.
    """
    if equal := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", name):
        return [(int(equal[2]),)] * int(equal[1])
    return list(parameter_shapes(MODELS[check_name("model", name, MODELS)]).values())


def measure(framework: str, optimizer: str, shapes: str) -> dict[str, list[float]]:
    """Times the optimizer's step and the framework's AdamW on the same fresh gradients, in turn.

    Gradients have random signs that are independent from step to step, so that about half of the
    coordinates disagree with their history, as in training.

    Args:
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A key of the framework's `OPTIMIZERS`. AdamW against itself shows the noise.
        shapes: What `shapes_of` knows.

    Returns:
        "seconds" and "baselineSeconds", one entry for each round.
    """
    device_of_environment(framework)
    module = load_framework(framework)
    gradients = Gradients(shapes_of(shapes))
    values = gradients.draw()
    measured, baseline = (
        module.OptimizerStep(name, values, LEARNING_RATE, Hyperparameters()) for name in (optimizer, BASELINE)
    )

    def fresh() -> Any:
        return module.OptimizerStep.gradients(gradients.draw())

    seconds, baseline_seconds = paired_seconds(measured, baseline, fresh, clock=clock_of(module.OptimizerStep))
    return {"seconds": seconds, "baselineSeconds": baseline_seconds}


def first_step(framework: str, optimizer: str, shapes: str) -> tuple[Any, Callable[[Callable[[], object]], float]]:
    """The framework's `OptimizerStep` before its first step, with gradients, and a clock for it.

    Args:
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A key of the framework's `OPTIMIZERS`.
        shapes: What `shapes_of` knows.
    """
    device_of_environment(framework)
    made = load_framework(framework).OptimizerStep
    gradients = Gradients(shapes_of(shapes))
    step = made(optimizer, gradients.draw(), LEARNING_RATE, Hyperparameters())
    step.take(made.gradients(gradients.draw()))
    return step, clock_of(made)


def clock_of(step: Any) -> Callable[[Callable[[], object]], float]:
    """What measures a framework's `OptimizerStep`: its own clock, where it has a better one than the wall's."""
    return getattr(step, "clock", lambda: wall_seconds)()


def wall_seconds(run: Callable[[], object]) -> float:
    """Seconds that a call takes until it returns."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def paired_seconds(
    first: Step,
    second: Step,
    fresh: Callable[[], Any],
    *,
    budget: float | None = None,
    most_rounds: int | None = None,
    clock: Callable[[Callable[[], object]], float] = wall_seconds,
) -> tuple[list[float], list[float]]:
    """`seconds_in_turn` of two steps."""
    one, other = seconds_in_turn((first, second), fresh, budget=budget, most_rounds=most_rounds, clock=clock)
    return one, other


def seconds_in_turn(
    steps: Sequence[Step],
    fresh: Callable[[], Any],
    *,
    budget: float | None = None,
    most_rounds: int | None = None,
    clock: Callable[[Callable[[], object]], float] = wall_seconds,
) -> list[list[float]]:
    """Seconds of several optimizers' steps on the same fresh gradients, round by round.

    The order is turned round from round to round, so that of any two neither always finds the caches warmer, and the
    number of rounds is even, so that each came first equally often.

    Args:
        steps: The optimizers' steps.
        fresh: Makes gradients for all.
        budget: Seconds to go on for; None is `SECONDS`.
        most_rounds: Rounds after which it ends sooner; None is `MAX_ROUNDS`.
        clock: Measures a call, where its return is not its end.

    Returns:
        The seconds of each, one entry for each counted round.
    """
    budget = SECONDS if budget is None else budget
    most_rounds = MAX_ROUNDS if most_rounds is None else most_rounds
    seconds: list[list[float]] = [[] for _ in steps]
    collecting = list(zip(steps, seconds, strict=True))
    begin = math.inf
    for done in range(-WARMUP_ROUNDS, most_rounds):
        if done == 0:
            begin = time.perf_counter()
        if done >= MIN_ROUNDS and done % 2 == 0 and time.perf_counter() - begin > budget:
            break
        gradients = fresh()
        for step, collected in collecting if done % 2 else reversed(collecting):
            step.take(gradients)
            elapsed = clock(step.run)
            if done >= 0:
                collected.append(elapsed)
    return seconds


def ratios(measured: Mapping[str, Any], to: str = "baselineSeconds") -> list[float]:
    """Of a result of `measure`: seconds relative to the baseline's, one number for every two rounds.

    It is the geometric mean of both rounds' ratios. Of small tensors the step that begins a round takes a third
    longer (threads that wake up), so the ratios of single rounds lie around two values, neither of them the ratio.
    """
    single = [a / b for a, b in zip(measured["seconds"], measured[to], strict=True)]
    return [math.sqrt(one * other) for one, other in zip(single[::2], single[1::2], strict=True)]


def interquartile_range(values: Sequence[float]) -> float:
    """Distance between the quartiles."""
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return upper - lower


class Gradients:
    """Arrays of given shapes filled with N(0, 0.001²), new at each draw, at the cost of none.

    They are views of a pool of random numbers, each moved by a random distance at each draw: drawing 124
    million numbers anew each round would take longer than the steps that are timed. Each array has a region of
    the pool of its own, so that a step reads its gradients from memory, as in training, and not from a cache.

    Args:
        shapes: Shapes of the arrays.
        convert: Makes of the pool, a float32 vector, another framework's vector, of another type or on another device.
    """

    ALIGNMENT = 64  # elements: views begin at multiples of 128 bytes in bfloat16, as allocators' arrays do
    PLACES = 2**12
    BLOCK = 2**24
    """Random numbers that are drawn; more than the largest distance, so that a coordinate never meets its copy."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], convert: Callable[[Any], Any] = lambda pool: pool) -> None:
        import numpy as np

        self._shapes = shapes
        self._generator = np.random.Generator(np.random.PCG64(SEED))
        padded = [-(-math.prod(shape) // self.ALIGNMENT) * self.ALIGNMENT for shape in shapes]
        self._starts = np.cumsum([0, *padded[:-1]])
        size = sum(padded) + self.ALIGNMENT * self.PLACES
        pool = np.empty(size + self.ALIGNMENT, np.float32)
        start = -(pool.ctypes.data // pool.itemsize) % self.ALIGNMENT
        pool = pool[start : start + size]
        block = self._generator.standard_normal(min(size, self.BLOCK), dtype=np.float32) * np.float32(1e-3)
        for begin in range(0, size, len(block)):
            pool[begin : begin + len(block)] = block[: size - begin]
        self._pool = convert(pool)

    def draw(self) -> list[Any]:
        """Views that share memory: read only, valid as long as this object."""
        places = self._starts + self._generator.integers(0, self.PLACES, len(self._shapes)) * self.ALIGNMENT
        return [
            self._pool[place : place + math.prod(shape)].reshape(shape)
            for place, shape in zip(places.tolist(), self._shapes, strict=True)
        ]
