"""Sophia's estimates of the curvature while a model trains, in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.names import load_baseline
from bench.settings import CURVATURE, estimates_every, settings_of
from bench.tasks import Task


class Curvature:
    """Gives an optimizer that wants them estimates of the Hessian's diagonal, every so many steps; others nothing.

    Labels are drawn from PyTorch's random numbers, in the order of the batches' parts, whose estimates are averaged.

    Args:
        name: The optimizer's name.
        optimizer: It.
        task: What it trains.
        parameters: The model's.
        logits: Computes the model's logits of a part of a batch.
        shared: Whether several processes share a step.

    Raises:
        RuntimeError: Several processes share a step of an optimizer that wants estimates.
    """

    def __init__(
        self,
        name: str,
        optimizer: Any,
        task: Task,
        parameters: Sequence[nn.Parameter],
        logits: Callable[[Tensor], Tensor],
        shared: bool,
    ) -> None:
        self._every, self._steps = estimates_every(name, task), 0
        self._optimizer, self._parameters, self._logits = optimizer, parameters, logits
        if not self._every:
            return
        if shared:
            raise RuntimeError(f"the curvature for {name} is estimated in one process; train without --parallel")
        self._estimate = load_baseline("torch", settings_of(name, task)[CURVATURE]["estimator"])
        self._generator = torch.Generator(parameters[0].device).manual_seed(task.seed)

    def before_step(self, parts: Sequence[Tensor]) -> None:
        """To be called before each step of the optimizer, with the batch in its parts."""
        due = self._every and self._steps % self._every == 0
        self._steps += 1
        if not due:
            return
        found: list[dict[Tensor, Tensor]] = [
            self._estimate(lambda part=part: self._logits(part), self._parameters, generator=self._generator)
            for part in parts
        ]
        self._optimizer.update_hessian({p: sum(one[p] for one in found) / len(found) for p in found[0]})
