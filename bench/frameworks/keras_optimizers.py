"""The optimizers that are compared in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from alphaadam.keras import AlphaAdam
from bench.frameworks.keras_baselines import BASELINE_OPTIMIZERS, MASKED_BASELINES, pattern_of
from bench.parameters import blocks, taken
from bench.settings import HEAD_WIDTH, arguments_of, settings_of, weight_decay_of
from bench.tasks import Hyperparameters, Task, get_task

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


_MASKED: dict[str, Factory] = {
    "alphaadam": _adam(AlphaAdam),
    "cautious-adamw": _adam(AlphaAdam, masking="sync", alpha="count"),
    "adamw-sm": _adam(AlphaAdam, masking="sync", alpha=1.0),
    "adamw-am": _adam(AlphaAdam, masking="async", alpha=1.0),
}

# Keras' own AdamW takes epsilon for Adam's "epsilon hat": it divides by sqrt(v) + epsilon before the bias of v is
# corrected, so its epsilon acts like the other frameworks' divided by sqrt(1 - beta2^t), 4.5 times at step 1 with
# beta2 = 0.95 and soon once. With epsilon = 1e-8 that is felt only by coordinates whose gradients are near 1e-8.
_PLAIN: dict[str, Factory] = {**_MASKED, "adamw": _adam(keras.optimizers.AdamW), "lion": _lion, "sgd": _sgd}
"""Each takes a learning rate or schedule, `Hyperparameters`, and further arguments of the optimizer."""

MASKED = (*_MASKED, *MASKED_BASELINES)
"""Those that have a mask. With ``record_diagnostics=True`` they keep it, and alpha."""

OPTIMIZERS = (*_PLAIN, *BASELINE_OPTIMIZERS)
"""What `make_optimizer` makes."""

LIBRARIES = dict.fromkeys(("adamw", "lion", "sgd", "muon"), "keras")
"""The distributions of those that are not ours."""


def make_optimizer(
    name: str,
    learning_rate: Any,
    hyperparameters: Hyperparameters,
    paths: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    task: Task | None = None,
    **kwargs: Any,
) -> keras.optimizers.Optimizer:
    """The optimizer of that name in `OPTIMIZERS`.

    Args:
        name: Its name.
        learning_rate: A learning rate or schedule.
        hyperparameters: What all have in common.
        paths: Keras' paths of the variables, by the parameters' names.
        shapes: Their shapes, by the same names.
        task: What it is for; None is gpt2-nano.
        kwargs: Further arguments of the optimizer.

    Raises:
        RuntimeError: It cannot be had here; the message says why.
    """
    task = replace(task or get_task("gpt2-nano"), hyperparameters=hyperparameters)
    hyperparameters = replace(hyperparameters, weight_decay=weight_decay_of(name, hyperparameters))
    if name in _PLAIN:
        return _PLAIN[name](learning_rate, hyperparameters, **kwargs)
    arguments = arguments_of(name, task)
    if name == "adam-mini":
        partitions = blocks(shapes, settings_of(name, task)[HEAD_WIDTH])
        arguments["blocks"] = {pattern_of(paths[parameter]): partitions[parameter] for parameter in shapes}
    of_rule = taken(name, shapes)
    left = [paths[parameter] for parameter, shape in shapes.items() if len(shape) == 2 and parameter not in of_rule]
    return BASELINE_OPTIMIZERS[name](learning_rate, hyperparameters.weight_decay, arguments, left, **kwargs)


@keras.saving.register_keras_serializable(package="bench")  # AlphaMask copies the optimizer that it masks
class Table(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that reads the rate of each step, counted from 0, from a table."""

    def __init__(self, rates: npt.ArrayLike) -> None:
        self.rates = np.asarray(rates, np.float32)

    def __call__(self, step: Any) -> Any:
        return ops.take(ops.convert_to_tensor(self.rates), ops.cast(step, "int32"))

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates.tolist()}
