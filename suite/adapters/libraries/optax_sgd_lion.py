"""SGD and Lion of Optax."""

from typing import Any

import optax

from suite.adapters.libraries.optax_library import OptaxLibrary


class SGD(OptaxLibrary):
    """optax.trace, followed by decay and learning rate: optax.sgd itself has no weight decay."""

    optimizer = "SGD"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return optax.chain(
            optax.trace(hyperparameters["momentum"], hyperparameters["nesterov"]),
            optax.add_decayed_weights(hyperparameters["weight_decay"]),
            optax.scale_by_learning_rate(lr),
        )


class Lion(OptaxLibrary):
    """optax.lion."""

    optimizer = "Lion"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return optax.lion(lr, **hyperparameters)
