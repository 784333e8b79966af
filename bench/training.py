"""One trial: a task trained once with one framework, optimizer and learning rate, and its record."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.names import COMPARED, check_name, load_framework, source_of
from bench.parameters import described
from bench.settings import settings_of
from bench.tasks import Task, parameter_shapes
from bench.tasks.execution import Execution

SCHEMA = "alphaadam-trial-1"


def train(
    task: Task,
    framework: str,
    optimizer: str,
    learning_rate: float | None = None,
    steps: int | None = None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    *,
    seed: int | None = None,
    data: str | None = None,
    execution: Execution | None = None,
    validation_percents: tuple[int, ...] | None = None,
    every: int | None = None,
    directions: bool = False,
    event: Callable[[dict[str, Any]], None] = lambda line: None,
) -> dict[str, Any]:
    """Trains once.

    Args:
        task: The task.
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A name of `bench.names.COMPARED`.
        learning_rate: Peak learning rate; None is the task's tuned rate for the optimizer.
        steps: Stop after so many steps of the task's schedule; None is the whole budget.
        progress: Called after each step with its number from 1, the number of steps and the loss.
        seed: Seed of initial weights and batch order; None is the task's.
        data: Folder of the task's data; None for a task that needs none.
        execution: How the trial is carried out; None is as `Execution()`.
        validation_percents: When the validation loss is measured, in percent of the budget; None is as the task says.
        every: Observe each so-many-th step, and the first: norms, masks, alpha. None observes nothing.
        directions: Measure gradient correlation and directional sharpness at observed steps, too (PyTorch only).
        event: Called with what happened, ready for JSON, as it happens: {"kind": "step", "step", "loss", "lr",
            "seconds", and what was observed} and {"kind": "validation", "budgetPercent", "step", "loss", "seconds"}.
            Seconds count from the beginning of training and leave validation and directions out.

    Returns:
        The record of the trial, ready for JSON: what was run and with which versions; "trainingLoss", the
        loss of each step's batch before its update; "validation", the loss at each percentage of the budget
        that was reached; "divergedAtStep", the first step with a loss that is not finite, where the trial
        ended, else null. Losses are in nats per token; gpt2-nano's tokens are bytes. "taskDigest" is that of the
        task with its own seed.

    Raises:
        ValueError: A name, the learning rate or the number of steps is invalid.
        ModuleNotFoundError: The framework is not installed.
    """
    check_name("optimizer", optimizer, COMPARED)
    learning_rate = task.learning_rate(optimizer) if learning_rate is None else learning_rate
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning rate {learning_rate!r} is invalid; give a finite number > 0")
    steps = task.steps if steps is None else steps
    if not 1 <= steps <= task.steps:
        raise ValueError(f"{steps} steps are not possible; {task.name} has 1 to {task.steps}")
    if every is not None and every < 1:
        raise ValueError(f"every {every} steps is not possible; give a whole number > 0")
    if directions and (framework != "torch" or every is None):
        raise ValueError("directions are measured with PyTorch, at observed steps; give framework torch and every")
    seed = task.seed if seed is None else seed
    execution = execution or Execution()

    module = load_framework(framework)
    import alphaadam
    from bench.tasks.inputs import make_inputs

    inputs = make_inputs(replace(task, seed=seed), data)
    digest = inputs.digest() if seed == task.seed else make_inputs(task, data).digest()
    rates = inputs.learning_rates(learning_rate)
    validation_batches = inputs.validation_batches()
    percents = task.validation_percents if validation_percents is None else validation_percents
    percents_at: dict[int, list[int]] = {}  # a short budget may have several in one step
    for percent in sorted(percents):
        percents_at.setdefault(task.steps * percent // 100, []).append(percent)
    begin = time.perf_counter()
    training = module.Training(inputs, optimizer, learning_rate, execution)
    measured = None
    if directions:
        from bench.frameworks.torch_directions import Directions

        measured = Directions(training.model, validation_batches[0])
    losses: list[float] = []
    validation: list[dict[str, Any]] = []
    diverged_at = None
    trained = 0.0  # seconds
    for step in range(1, steps + 1):
        observe = every is not None and (step == 1 or step % every == 0)
        if measured and observe:
            measured.before()
        started = time.perf_counter()
        batch = inputs.training_batch(step - 1)
        loss = training.step(batch, observe=True) if observe else training.step(batch)
        trained += time.perf_counter() - started
        if not math.isfinite(loss):
            diverged_at = step
            break
        losses.append(loss)
        seen = dict(training.observation()) if observe else {}
        if measured and observe:
            seen |= measured.after()
        event({"kind": "step", "step": step, "loss": loss, "lr": float(rates[step - 1]), "seconds": trained, **seen})
        progress(step, steps, loss)
        if step in percents_at:
            mean = sum(map(training.loss, validation_batches)) / len(validation_batches)
            if not math.isfinite(mean):
                diverged_at = step
                break
            for percent in percents_at[step]:
                point = {"budgetPercent": percent, "step": step, "loss": mean}
                validation.append(point)
                event({"kind": "validation", **point, "seconds": trained})
    return {
        "schema": SCHEMA,
        "task": task.name,
        "taskDigest": digest,
        "seed": seed,
        "framework": framework,
        "optimizer": optimizer,
        "learningRate": learning_rate,
        "takes": described(optimizer, parameter_shapes(task.model)),
        "optimizerSettings": settings_of(optimizer, task),
        "source": source_of(optimizer, module.LIBRARIES),
        "execution": vars(execution),
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
