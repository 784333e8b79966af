"""asv benchmarks: the optimizer's step timed by asv itself, so that ``asv continuous`` has samples to compare.

The steps are those of ``python -m bench changes``, which times two commits in turn and is wrong less often.
"""

from __future__ import annotations

from typing import Any

from bench.names import OPTIMIZERS, framework_of_environment, load_framework

DRAWS = 8
"""Gradients that are stepped on in turn. On one and the same, nothing would be masked after a few steps."""


class TimedStep:
    """One step of the optimizer alone, on gradients with random signs."""

    param_names = ("optimizer", "shapes")
    params = (OPTIMIZERS, ("gpt2-nano", "1x300000", "1x1000000", "10x100000", "30x30000", "100x10000"))
    timeout = 120
    version = "1"

    def setup(self, optimizer: str, shapes: str) -> None:
        """Makes the step."""
        from bench.paired import LEARNING_RATE, Gradients, shapes_of
        from bench.tasks import Hyperparameters

        self._step: Any
        if hasattr(self, "_step"):
            return  # asv calls this before each sample
        step_of = load_framework(framework_of_environment()).OptimizerStep
        drawn = Gradients(shapes_of(shapes))
        self._step = step_of(optimizer, drawn.draw(), LEARNING_RATE, Hyperparameters())
        self._gradients = [step_of.gradients(drawn.draw()) for _ in range(DRAWS)]
        self._taken = 0

    def time_step(self, optimizer: str, shapes: str) -> None:
        """Hands the gradients over and takes the step."""
        self._taken += 1
        self._step.take(self._gradients[self._taken % DRAWS])
        self._step.run()
