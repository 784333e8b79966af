"""The learning-rate search: the same for every optimizer, each trial kept, the best rate never at an edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.records import read_json, write_json
from bench.tasks import Task
from bench.training import train

SCHEMA = "alphaadam-search-1"
FIRST_RATES = (1e-3, 2e-3, 4e-3)
"""Where each search begins; further rates lie a factor of 2 apart."""
MOST_TRIALS = 16
"""Trials of one optimizer after which a search gives up: 16 doublings span every sensible rate."""


def search(
    task: Task,
    framework: str,
    optimizers: tuple[str, ...],
    output: str | Path,
    run_trial: Callable[[str, float], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Finds each optimizer's best peak learning rate on a task, by the validation loss at the end of the budget.

    The grid grows by a factor of 2 at the end where the best rate lies, until it lies inside.

    Args:
        task: The task.
        framework: Framework to train with.
        optimizers: Optimizers to search for.
        output: Folder for one record a trial. A trial whose record is there is not run again.
        run_trial: Runs the trial of an optimizer and a rate; None trains the task.

    Returns:
        The record of the search, ready for JSON.

    Raises:
        RuntimeError: No rate inside the grid is the best one.
        ValueError: A record in `output` is not JSON.
    """
    from bench.tasks.inputs import Inputs

    digest = Inputs(task).digest()
    run_trial = run_trial or (lambda optimizer, rate: train(task, framework, optimizer, rate))

    def trial(optimizer: str, rate: float) -> dict[str, Any]:
        path = Path(output, f"{task.name}-{digest[:12]}-{framework}-{optimizer}-{rate:g}.json")
        if not path.exists():
            write_json(path, run_trial(optimizer, rate))
        return read_json(path)

    found = {optimizer: _search_one(partial(trial, optimizer)) for optimizer in optimizers}
    return {
        "schema": SCHEMA,
        "command": (
            f"python -m bench search --task {task.name} --framework {framework} --optimizers {','.join(optimizers)}"
        ),
        "task": task.name,
        "taskDigest": digest,
        "framework": framework,
        "versions": next(iter(found[optimizers[0]].values()))["versions"],
        "bestLearningRate": {optimizer: best_rate(trials) for optimizer, trials in found.items()},
        "trials": [
            {
                "optimizer": optimizer,
                "learningRate": rate,
                "finalValidationLoss": _final_loss(record) if math.isfinite(_final_loss(record)) else None,
                "divergedAtStep": record["divergedAtStep"],
            }
            for optimizer, trials in found.items()
            for rate, record in sorted(trials.items())
        ],
    }


def best_rate(trials: Mapping[float, dict[str, Any]]) -> float:
    """The rate whose record ends with the smallest validation loss; of equal ones the smallest rate."""
    return min(sorted(trials), key=lambda rate: _final_loss(trials[rate]))


def _search_one(trial: Callable[[float], dict[str, Any]]) -> dict[float, dict[str, Any]]:
    trials = {rate: trial(rate) for rate in FIRST_RATES}
    while len(trials) < MOST_TRIALS:
        best = best_rate(trials)
        if best == min(trials):
            rate = best / 2
        elif best == max(trials):
            rate = best * 2
        else:
            return trials
        trials[rate] = trial(rate)
    raise RuntimeError(
        f"after {len(trials)} learning rates from {min(trials):g} to {max(trials):g} the best is still at the edge"
    )


def _final_loss(record: Mapping[str, Any]) -> float:
    """The validation loss at the end of the budget, infinite for a trial that diverged."""
    if record["divergedAtStep"] is not None:
        return math.inf
    return record["validation"][-1]["loss"]
