"""One optimizer measured in a process of its own: ``python -m bench.costs.measure``, which `bench.costs.run` starts.

It takes framework, optimizer, task, seconds and number of threads (0: as they are), and ends its output with JSON.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.device import device_of_environment, speed_module
from bench.names import load_framework, source_of
from bench.paired import BASELINE, LEARNING_RATE, Gradients, clock_of, ratios, seconds_in_turn
from bench.parameters import described
from bench.settings import settings_of, steps_between_refreshes
from bench.tasks import get_task, parameter_shapes

MOST_ROUNDS = 400
"""Rounds after which it ends sooner, where all steps are alike."""
PERIODS = 5
"""Periods from one expensive step to the next that are measured, where they are not."""


def measure(framework: str, optimizer: str, task_name: str, seconds: float) -> dict[str, Any]:
    """State and step time of an optimizer on a task's tensors, beside the framework's AdamW, in turn, in this process.

    Where an optimizer has expensive steps at even distances, each figure is of a whole period: the mean of its steps.
    One-bit Adam's variance is frozen from the second step on, so that its compressed steps are measured.

    Args:
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A name of `bench.names.COMPARED`.
        task_name: The task whose model's tensors are stepped on.
        seconds: How long the rounds go on where all steps are alike.

    Returns:
        The entry of the optimizer in the result file, see `bench.costs.run`.
    """
    module = load_framework(framework)
    task = get_task(task_name)
    early = replace(task, steps=1)
    shapes = parameter_shapes(task.model)
    gradients = Gradients(list(shapes.values()))
    values = gradients.draw()
    measured, baseline = (
        module.OptimizerStep(name, values, LEARNING_RATE, task.hyperparameters, early) for name in (optimizer, BASELINE)
    )
    period = steps_between_refreshes(optimizer, task)
    own, others = seconds_in_turn(
        [measured, baseline],
        lambda: module.OptimizerStep.gradients(gradients.draw()),
        budget=seconds if period == 1 else math.inf,
        most_rounds=MOST_ROUNDS if period == 1 else PERIODS * period,
        clock=clock_of(module.OptimizerStep),
    )
    found = quotients(own, others, period)
    lower, median, upper = statistics.quantiles(found, n=4, method="inclusive")
    return {
        "takes": described(optimizer, shapes),
        "settings": settings_of(optimizer, task),
        "source": source_of(optimizer, module.LIBRARIES),
        "stateBytes": (state := measured.state_bytes()),
        "stateBytesPerParameter": state / sum(map(math.prod, shapes.values())),
        "seconds": statistics.median(_means(own, period)),
        "baselineSeconds": statistics.median(others),
        "ratio": {"lower": lower, "median": median, "upper": upper},
        "rounds": len(own),
        "amortisedOver": period,
    }


def quotients(seconds: Sequence[float], baseline: Sequence[float], period: int) -> list[float]:
    """Time of a step relative to AdamW's: of two rounds each, as `bench.paired.ratios` has it, or of whole periods."""
    if period == 1:
        return ratios({"seconds": seconds, "baselineSeconds": baseline})
    return [one / other for one, other in zip(_means(seconds, period), _means(baseline, period), strict=True)]


def _means(seconds: Sequence[float], period: int) -> list[float]:
    return [statistics.fmean(seconds[begin : begin + period]) for begin in range(0, len(seconds), period)]


def main(arguments: Sequence[str]) -> int:
    """Prints {"measured", "environment"} or {"reason"}."""
    framework, optimizer, task, seconds, threads = arguments
    try:
        speed = speed_module(framework)
        if int(threads):
            speed.set_threads(int(threads))
        environment = speed.environment(device_of_environment(framework))
        answer = {"measured": measure(framework, optimizer, task, float(seconds)), "environment": environment}
    except (RuntimeError, ModuleNotFoundError) as error:  # written for people to read
        answer = {"reason": " ".join(str(error).split())}
    print(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
