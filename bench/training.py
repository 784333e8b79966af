"""One trial: a task trained once with one framework, optimizer and learning rate, and its record."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from typing import Any

from bench.names import OPTIMIZERS, check_name, load_framework
from bench.tasks import Task

SCHEMA = "alphaadam-trial-1"


def train(
    task: Task,
    framework: str,
    optimizer: str,
    learning_rate: float | None = None,
    steps: int | None = None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> dict[str, Any]:
    """Trains once.

    Args:
        task: The task.
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A name of `bench.names.OPTIMIZERS`.
        learning_rate: Peak learning rate; None is the task's tuned rate for the optimizer.
        steps: Stop after so many steps of the task's schedule; None is the whole budget.
        progress: Called after each step with its number from 1, the number of steps and the loss.

    Returns:
        The record of the trial, ready for JSON: what was run and with which versions; "trainingLoss", the
        loss of each step's batch before its update; "validation", the loss at each percentage of the budget
        that was reached; "divergedAtStep", the first step with a loss that is not finite, where the trial
        ended, else null. Losses are in nats per token; gpt2-nano's tokens are bytes.

    Raises:
        ValueError: A name, the learning rate or the number of steps is invalid.
        ModuleNotFoundError: The framework is not installed.
    """
    check_name("optimizer", optimizer, OPTIMIZERS)
    learning_rate = task.learning_rate(optimizer) if learning_rate is None else learning_rate
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning rate {learning_rate!r} is invalid; give a finite number > 0")
    steps = task.steps if steps is None else steps
    if not 1 <= steps <= task.steps:
        raise ValueError(f"{steps} steps are not possible; {task.name} has 1 to {task.steps}")

    module = load_framework(framework)
    import alphaadam
    from bench.tasks.inputs import Inputs

    inputs = Inputs(task)
    validation_batches = inputs.validation_batches()
    percent_at = {step: percent for percent, step in task.validation_steps().items()}
    begin = time.perf_counter()
    training = module.Training(inputs, optimizer, learning_rate)
    losses: list[float] = []
    validation: list[dict[str, Any]] = []
    diverged_at = None
    for step in range(1, steps + 1):
        loss = training.step(inputs.training_batch(step - 1))
        if not math.isfinite(loss):
            diverged_at = step
            break
        losses.append(loss)
        progress(step, steps, loss)
        if step in percent_at:
            mean = sum(map(training.loss, validation_batches)) / len(validation_batches)
            if not math.isfinite(mean):
                diverged_at = step
                break
            validation.append({"budgetPercent": percent_at[step], "step": step, "loss": mean})
    return {
        "schema": SCHEMA,
        "task": task.name,
        "taskDigest": inputs.digest(),
        "framework": framework,
        "optimizer": optimizer,
        "learningRate": learning_rate,
        "steps": steps,
        "versions": {
            "alphaadam": alphaadam.__version__,
            **module.versions(),
            "python": platform.python_version(),
        },
        "seconds": time.perf_counter() - begin,
        "trainingLoss": losses,
        "validation": validation,
        "divergedAtStep": diverged_at,
    }
