"""The settings of a training task. What they give rise to is made in `bench.tasks.inputs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bench.tasks.gpt2 import GPT2Config


@dataclass(frozen=True)
class Hyperparameters:
    """Settings that every optimizer gets, apart from its learning rate.

    Attributes:
        beta1: Decay rate of the first moment.
        beta2: Decay rate of the second moment.
        epsilon: Added to the root of the second moment.
        weight_decay: Decoupled decay of matrices and embeddings; biases and layer norms have none.
    """

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1


@dataclass(frozen=True)
class Task:
    """A training task, fixed in every setting.

    Attributes:
        name: The task's name.
        model: The model that is trained.
        batch_size: Sequences of `model.context` tokens in a training or validation batch.
        steps: The budget, in optimizer steps.
        warmup_steps: Steps over which the learning rate rises linearly to its peak.
        final_rate: Learning rate at the end of the cosine, as a fraction of the peak.
        clip_norm: The gradient is scaled down to this global norm where it exceeds it.
        hyperparameters: Settings of the optimizer.
        validation_batches: Batches that a validation loss is the mean of.
        validation_percents: When the validation loss is measured, in percent of `steps`.
        seed: Seed of the initial weights and of the batch order.
        learning_rates: The best peak rate found for each optimizer. A rate belongs to an optimizer rather
            than to the task, so it has no part in the task's digest.
        data: What the model reads, a key of `bench.tasks.data.DATA`.
        precision: "float32", or "bfloat16": matrix products in bfloat16; parameters, gradients, optimizer state and
            the loss stay float32.
    """

    name: str
    model: GPT2Config
    batch_size: int
    steps: int
    warmup_steps: int
    final_rate: float
    clip_norm: float
    hyperparameters: Hyperparameters
    validation_batches: int
    validation_percents: tuple[int, ...]
    seed: int
    learning_rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    data: str = "bible-bytes"
    precision: str = "float32"

    def learning_rate(self, optimizer: str) -> float:
        """The tuned peak learning rate of `optimizer`.

        Raises:
            ValueError: None is known for it.
        """
        if optimizer not in self.learning_rates:
            raise ValueError(
                f"no learning rate of {optimizer} was tuned on {self.name}; name one with --learning-rate, or find it"
                f" with `python -m bench compare --task {self.name} --optimizers {optimizer}`"
            )
        return self.learning_rates[optimizer]

    def validation_steps(self) -> dict[int, int]:
        """Percent of the budget → number of steps done when the validation loss is measured."""
        return {percent: self.steps * percent // 100 for percent in self.validation_percents}
