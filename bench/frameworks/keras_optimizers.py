"""The optimizers that are compared in Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from alphaadam.keras import AlphaAdam
from bench.tasks import Hyperparameters

Factory = Callable[..., keras.optimizers.Optimizer]


def _lion(learning_rate: Any, hyperparameters: Hyperparameters, **kwargs: Any) -> keras.optimizers.Optimizer:
    """With betas of its own, 0.9 and 0.99."""
    return keras.optimizers.Lion(learning_rate, 0.9, 0.99, weight_decay=hyperparameters.weight_decay, **kwargs)


def _sgd(learning_rate: Any, hyperparameters: Hyperparameters, **kwargs: Any) -> keras.optimizers.Optimizer:
    """With momentum 0.9 and decoupled weight decay.

    Keras' velocity gathers gradients that are multiplied by the learning rate already, so a change of the rate reaches
    it step by step: under a schedule this is not quite the SGD of the other frameworks.
    """
    return keras.optimizers.SGD(learning_rate, momentum=0.9, weight_decay=hyperparameters.weight_decay, **kwargs)


def _adam(make: Factory, **settings: Any) -> Factory:
    def made(learning_rate: Any, hyperparameters: Hyperparameters, **kwargs: Any) -> keras.optimizers.Optimizer:
        return make(
            learning_rate=learning_rate,
            beta_1=hyperparameters.beta1,
            beta_2=hyperparameters.beta2,
            epsilon=hyperparameters.epsilon,
            weight_decay=hyperparameters.weight_decay,
            **settings,
            **kwargs,
        )

    return made


MASKED: dict[str, Factory] = {
    "alphaadam": _adam(AlphaAdam),
    "cautious-adamw": _adam(AlphaAdam, masking="sync", alpha="count"),
    "adamw-sm": _adam(AlphaAdam, masking="sync", alpha=1.0),
    "adamw-am": _adam(AlphaAdam, masking="async", alpha=1.0),
}
"""Those that have a mask. With ``record_diagnostics=True`` they keep it, and alpha."""

# Keras' own AdamW takes epsilon for Adam's "epsilon hat": it divides by sqrt(v) + epsilon before the bias of v is
# corrected, so its epsilon acts like the other frameworks' divided by sqrt(1 - beta2^t), 4.5 times at step 1 with
# beta2 = 0.95 and soon once. With epsilon = 1e-8 that is felt only by coordinates whose gradients are near 1e-8.
OPTIMIZERS: dict[str, Factory] = {**MASKED, "adamw": _adam(keras.optimizers.AdamW), "lion": _lion, "sgd": _sgd}
"""Each takes a learning rate or schedule, `Hyperparameters`, and further arguments of the optimizer."""


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that reads the rate of each step, counted from 0, from a table."""

    def __init__(self, rates: npt.NDArray[np.float32]) -> None:
        self.rates = rates

    def __call__(self, step: Any) -> Any:
        return ops.take(ops.convert_to_tensor(self.rates), ops.cast(step, "int32"))

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates.tolist()}
