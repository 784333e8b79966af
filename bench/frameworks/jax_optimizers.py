"""The optimizers that are compared in JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import optax

from alphaadam.optax import alphaadam
from bench.frameworks.jax_baselines import BASELINE_OPTIMIZERS, MASKED_BASELINES
from bench.parameters import blocks, taken
from bench.settings import HEAD_WIDTH, arguments_of, settings_of, weight_decay_of
from bench.tasks import Hyperparameters, Task, get_task

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


_MASKED: dict[str, Factory] = {
    "alphaadam": _adam(alphaadam),
    "cautious-adamw": _adam(alphaadam, masking="sync", alpha="count"),
    "adamw-sm": _adam(alphaadam, masking="sync", alpha=1.0),
    "adamw-am": _adam(alphaadam, masking="async", alpha=1.0),
}

_PLAIN: dict[str, Factory] = {**_MASKED, "adamw": _adam(optax.adamw), "lion": _lion, "sgd": _sgd}
"""Each takes a learning rate or schedule, `Hyperparameters`, and what `optax.adamw` takes as ``mask``: what decays."""

MASKED = (*_MASKED, *MASKED_BASELINES)
"""Those that have a mask. With ``record_diagnostics=True`` their state keeps it, and alpha."""

OPTIMIZERS = (*_PLAIN, *BASELINE_OPTIMIZERS)
"""What `make_optimizer` makes."""

LIBRARIES = dict.fromkeys(("adamw", "lion", "sgd", "muon"), "optax")
"""The distributions of those that are not ours."""


def make_optimizer(
    name: str,
    learning_rate: Any,
    hyperparameters: Hyperparameters,
    mask: Any,
    names: Any,
    shapes: Mapping[str, tuple[int, ...]],
    task: Task | None = None,
    **diagnostics: bool,
) -> optax.GradientTransformation:
    """The optimizer of that name in `OPTIMIZERS`.

    Args:
        name: Its name.
        learning_rate: A learning rate or schedule.
        hyperparameters: What all have in common.
        mask: What decays, as `optax.adamw` takes it.
        names: A pytree like the parameters of their names.
        shapes: Shapes by these names.
        task: What it is for; None is gpt2-nano.
        diagnostics: Further arguments of those in `MASKED`.

    Raises:
        RuntimeError: It cannot be had here; the message says why.
    """
    task = replace(task or get_task("gpt2-nano"), hyperparameters=hyperparameters)
    hyperparameters = replace(hyperparameters, weight_decay=weight_decay_of(name, hyperparameters))
    if name in _PLAIN:
        return _PLAIN[name](learning_rate, hyperparameters, mask, **diagnostics)
    arguments = arguments_of(name, task)
    if name == "adam-mini":
        partitions = blocks(shapes, settings_of(name, task)[HEAD_WIDTH])
        arguments["blocks"] = jax.tree.map(lambda leaf: partitions[leaf], names)
    of_rule = set(taken(name, shapes))
    by_rule = jax.tree.map(lambda leaf: leaf in of_rule, names)
    make = BASELINE_OPTIMIZERS[name]
    return make(learning_rate, hyperparameters.weight_decay, mask, arguments, by_rule, **diagnostics)


def decays(parameters: Any) -> Any:
    """Weight decay is for matrices and embeddings."""
    return jax.tree.map(lambda p: p.ndim >= 2, parameters)
