"""GPT-2, a training step and an optimizer step in JAX, with optimizers of Optax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from alphaadam.optax import alphaadam
from bench.tasks import GPT2Config, Hyperparameters
from bench.tasks.inputs import Inputs

OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "alphaadam": alphaadam,
    "adamw": optax.adamw,
    "cautious-adamw": partial(alphaadam, masking="sync", alpha="count"),
}


def versions() -> dict[str, str]:
    """Versions of what is measured."""
    return {"jax": jax.__version__, "optax": optax.__version__}


def logits(config: GPT2Config, parameters: Mapping[str, jax.Array], tokens: jax.Array) -> jax.Array:
    """GPT-2: token ids (batch, length) → logits (batch, length, vocabulary); the head is the token embedding."""

    def project(x: jax.Array, name: str) -> jax.Array:
        return x @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def normalise(x: jax.Array, name: str) -> jax.Array:
        x = jax.nn.standardize(x, axis=-1, epsilon=config.layer_norm_epsilon)
        return x * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def attend(x: jax.Array, name: str) -> jax.Array:
        by_head = (*x.shape[:2], config.heads, config.width // config.heads)
        query, key, value = (part.reshape(by_head) for part in jnp.split(project(x, f"{name}.c_attn"), 3, axis=-1))
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return project(mixed.reshape(x.shape), f"{name}.c_proj")

    def expand(x: jax.Array, name: str) -> jax.Array:
        return project(jax.nn.gelu(project(x, f"{name}.c_fc"), approximate=True), f"{name}.c_proj")

    x = parameters["wte.weight"][tokens] + parameters["wpe.weight"][: tokens.shape[1]]
    for layer in range(config.layers):
        block = f"h.{layer}"
        x = x + attend(normalise(x, f"{block}.ln_1"), f"{block}.attn")
        x = x + expand(normalise(x, f"{block}.ln_2"), f"{block}.mlp")
    return normalise(x, "ln_f") @ parameters["wte.weight"].T


class Training:
    """A model in training.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
    """

    def __init__(self, inputs: Inputs, optimizer: str, learning_rate: float) -> None:
        task = inputs.task
        rates = jnp.asarray(inputs.learning_rates(learning_rate))
        transformation = optax.chain(
            optax.clip_by_global_norm(task.clip_norm),
            _optimizer(
                optimizer,
                lambda count: rates[count],
                task.hyperparameters,
                mask=lambda parameters: jax.tree.map(lambda p: p.ndim >= 2, parameters),
            ),
        )
        self._parameters = {name: jnp.array(values) for name, values in inputs.initial_parameters.items()}
        self._state = transformation.init(self._parameters)

        def loss(parameters: dict[str, jax.Array], tokens: jax.Array) -> jax.Array:
            predicted = logits(task.model, parameters, tokens[:, :-1])
            return optax.softmax_cross_entropy_with_integer_labels(predicted, tokens[:, 1:]).mean()

        def step(parameters: dict[str, jax.Array], state: Any, tokens: jax.Array) -> tuple[Any, Any, jax.Array]:
            value, gradients = jax.value_and_grad(loss)(parameters, tokens)
            updates, state = transformation.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state, value

        self._step = jax.jit(step, donate_argnums=(0, 1))
        self._loss = jax.jit(loss)

    def step(self, tokens: npt.NDArray[np.int32]) -> float:
        """Trains on one batch; returns its loss before the update, in nats per token."""
        self._parameters, self._state, loss = self._step(self._parameters, self._state, tokens)
        return float(loss)

    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        return float(self._loss(self._parameters, tokens))

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name."""
        return {name: np.asarray(values) for name, values in self._parameters.items()}


class OptimizerStep:
    """The optimizer alone, on tensors of given values.

    Args:
        optimizer: A key of `OPTIMIZERS`.
        parameters: Initial values.
        learning_rate: Learning rate.
        hyperparameters: The optimizer's other settings.
    """

    def __init__(
        self,
        optimizer: str,
        parameters: Sequence[npt.NDArray[np.float32]],
        learning_rate: float,
        hyperparameters: Hyperparameters,
    ) -> None:
        transformation = _optimizer(optimizer, learning_rate, hyperparameters)
        self._parameters = [jnp.array(values) for values in parameters]
        self._state = transformation.init(self._parameters)

        def step(parameters: list[jax.Array], state: Any, gradients: list[jax.Array]) -> tuple[Any, Any]:
            updates, state = transformation.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        self._step = jax.jit(step, donate_argnums=(0, 1))

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[jax.Array]:
        """The framework's arrays for `take`."""
        return jax.block_until_ready([jnp.asarray(value) for value in values])

    def take(self, gradients: Sequence[jax.Array]) -> None:
        """Gives the gradients of the next step, so that handing them over is no part of its time."""
        self._gradients = gradients

    def run(self) -> None:
        """One step; returns when it is done."""
        made = self._step(self._parameters, self._state, self._gradients)
        self._parameters, self._state = jax.block_until_ready(made)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self._state))


def _optimizer(
    name: str, learning_rate: optax.ScalarOrSchedule, hyperparameters: Hyperparameters, mask: Any = None
) -> optax.GradientTransformation:
    return OPTIMIZERS[name](
        learning_rate,
        b1=hyperparameters.beta1,
        b2=hyperparameters.beta2,
        eps=hyperparameters.epsilon,
        weight_decay=hyperparameters.weight_decay,
        mask=mask,
    )
