"""Training steps of several optimizers timed in turn in one process."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from bench.device import device_of_environment
from bench.names import load_framework
from bench.paired import seconds_in_turn
from bench.tasks import get_task
from bench.tasks.execution import Execution

TASK = "gpt2-nano"
SECONDS = 10.0
"""How long the rounds go on, in which every optimizer makes a step."""


class _Step:
    """A training step as `bench.paired.seconds_in_turn` takes it: batches in place of gradients."""

    def __init__(self, training: Any) -> None:
        self._training = training

    def take(self, tokens: Any) -> None:
        self._tokens = tokens

    def run(self) -> None:
        self._training.step(self._tokens)  # returns a number, so the step is done, on a GPU too


def measure_training_steps(framework: str, optimizers: Sequence[str]) -> dict[str, list[float]]:
    """Seconds of training steps on gpt2-nano, round by round, all optimizers in turn.

    Args:
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizers: Names of optimizers with a tuned learning rate.

    Returns:
        By optimizer, one entry for each round.
    """
    from bench.tasks.inputs import Inputs

    execution = Execution(device=device_of_environment(framework))
    make = load_framework(framework).Training
    task = get_task(TASK)
    inputs = Inputs(task)
    steps = [_Step(make(inputs, name, task.learning_rate(name), execution)) for name in optimizers]
    batches = map(inputs.training_batch, itertools.count())
    seconds = seconds_in_turn(steps, lambda: next(batches), budget=SECONDS)
    return dict(zip(optimizers, seconds, strict=True))
