"""The optimizers that are compared in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax

from alphaadam.optax import alphaadam
from bench.tasks import Hyperparameters

Factory = Callable[..., optax.GradientTransformation]


def _lion(learning_rate: Any, hyperparameters: Hyperparameters, mask: Any) -> optax.GradientTransformation:
    """With betas of its own, 0.9 and 0.99."""
    return optax.lion(learning_rate, weight_decay=hyperparameters.weight_decay, mask=mask)


def _sgd(learning_rate: Any, hyperparameters: Hyperparameters, mask: Any) -> optax.GradientTransformation:
    """With momentum 0.9 and decoupled weight decay: the momentum does not see the decay."""
    return optax.chain(
        optax.trace(0.9),
        optax.add_decayed_weights(hyperparameters.weight_decay, mask),
        optax.scale_by_learning_rate(learning_rate),
    )


def _adam(make: Factory, **settings: Any) -> Factory:
    def made(learning_rate: Any, hyperparameters: Hyperparameters, mask: Any, **diagnostics: Any) -> Any:
        return make(
            learning_rate,
            b1=hyperparameters.beta1,
            b2=hyperparameters.beta2,
            eps=hyperparameters.epsilon,
            weight_decay=hyperparameters.weight_decay,
            mask=mask,
            **settings,
            **diagnostics,
        )

    return made


MASKED: dict[str, Factory] = {
    "alphaadam": _adam(alphaadam),
    "cautious-adamw": _adam(alphaadam, masking="sync", alpha="count"),
    "adamw-sm": _adam(alphaadam, masking="sync", alpha=1.0),
    "adamw-am": _adam(alphaadam, masking="async", alpha=1.0),
}
"""Those that have a mask. With ``record_diagnostics=True`` their state keeps it, and alpha."""

OPTIMIZERS: dict[str, Factory] = {**MASKED, "adamw": _adam(optax.adamw), "lion": _lion, "sgd": _sgd}
"""Each takes a learning rate or schedule, `Hyperparameters`, and what `optax.adamw` takes as ``mask``: what decays."""


def decays(parameters: Any) -> Any:
    """Weight decay is for matrices and embeddings."""
    return jax.tree.map(lambda p: p.ndim >= 2, parameters)
