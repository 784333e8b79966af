"""GPT-2 and a training step in Keras 3, for any backend; the optimizer's step alone is measured on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported

import keras
from keras import layers, ops

from alphaadam.keras import AlphaAdam
from bench.tasks import GPT2Config, Hyperparameters
from bench.tasks.inputs import Inputs

# Keras' own AdamW takes epsilon for Adam's "epsilon hat": it divides by sqrt(v) + epsilon before the bias of v is
# corrected, so its epsilon acts like the other frameworks' divided by sqrt(1 - beta2^t), 4.5 times at step 1 with
# beta2 = 0.95 and soon once. With epsilon = 1e-8 that is felt only by coordinates whose gradients are near 1e-8.
OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "alphaadam": AlphaAdam,
    "adamw": keras.optimizers.AdamW,
    "cautious-adamw": partial(AlphaAdam, masking="sync", alpha="count"),
}


def versions() -> dict[str, str]:
    """Versions of what is measured."""
    backend = keras.backend.backend()
    module = __import__(backend)
    return {"keras": keras.__version__, backend: module.__version__}


class Attention(layers.Layer):
    """Causal self-attention."""

    def __init__(self, config: GPT2Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = config.heads
        self.c_attn = layers.Dense(3 * config.width, name="c_attn")
        self.c_proj = layers.Dense(config.width, name="c_proj")

    def call(self, x: Any) -> Any:
        batch, length, width = ops.shape(x)
        by_head = (batch, length, self.heads, width // self.heads)
        query, key, value = (ops.reshape(part, by_head) for part in ops.split(self.c_attn(x), 3, axis=-1))
        mixed = ops.dot_product_attention(query, key, value, is_causal=True)
        return self.c_proj(ops.reshape(mixed, (batch, length, width)))


class MLP(layers.Layer):
    """Two projections with a tanh GELU between them."""

    def __init__(self, config: GPT2Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.c_fc = layers.Dense(4 * config.width, name="c_fc")
        self.c_proj = layers.Dense(config.width, name="c_proj")

    def call(self, x: Any) -> Any:
        return self.c_proj(ops.gelu(self.c_fc(x), approximate=True))


class Block(layers.Layer):
    """One pre-norm transformer block."""

    def __init__(self, config: GPT2Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ln_1 = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_1")
        self.attn = Attention(config, name="attn")
        self.ln_2 = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_2")
        self.mlp = MLP(config, name="mlp")

    def call(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(keras.Model):
    """GPT-2 with its head tied to the token embedding."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.wte = layers.ReversibleEmbedding(config.vocabulary, config.width, name="wte")
        self.wpe = layers.Embedding(config.context, config.width, name="wpe")
        self.h = [Block(config, name=f"h_{layer}") for layer in range(config.layers)]
        self.ln_f = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_f")

    def call(self, tokens: Any) -> Any:
        x = self.wte(tokens) + self.wpe(ops.arange(ops.shape(tokens)[1]))
        for block in self.h:
            x = block(x)
        return self.wte(self.ln_f(x), reverse=True)


class Training:
    """A model in training.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
    """

    def __init__(self, inputs: Inputs, optimizer: str, learning_rate: float) -> None:
        task = inputs.task
        self.model = GPT2(task.model)
        self.model(np.zeros((1, task.model.context), np.int32))  # a call creates the variables
        self._variables = {_parameter_name(v): v for v in self.model.trainable_variables}
        for name, values in inputs.initial_parameters.items():
            self._variables[name].assign(values)
        made = _optimizer(
            optimizer,
            Table(inputs.learning_rates(learning_rate)),
            task.hyperparameters,
            global_clipnorm=task.clip_norm,
        )
        made.exclude_from_weight_decay([v for v in self._variables.values() if len(v.shape) < 2])
        self.model.compile(made, keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def step(self, tokens: npt.NDArray[np.int32]) -> float:
        """Trains on one batch; returns its loss before the update, in nats per token."""
        return float(self.model.train_on_batch(tokens[:, :-1], tokens[:, 1:]))

    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        return float(self.model.test_on_batch(tokens[:, :-1], tokens[:, 1:]))

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name."""
        return {name: np.asarray(variable) for name, variable in self._variables.items()}


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that reads the rate of each step, counted from 0, from a table."""

    def __init__(self, rates: npt.NDArray[np.float32]) -> None:
        self.rates = rates

    def __call__(self, step: Any) -> Any:
        return ops.take(ops.convert_to_tensor(self.rates), ops.cast(step, "int32"))

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates.tolist()}


class OptimizerStep:
    """The optimizer alone, on tensors of given values. Measured on the JAX backend.

    Args:
        optimizer: A key of `OPTIMIZERS`.
        parameters: Initial values.
        learning_rate: Learning rate.
        hyperparameters: The optimizer's other settings.

    Raises:
        RuntimeError: Keras runs on another backend.
    """

    def __init__(
        self,
        optimizer: str,
        parameters: Sequence[npt.NDArray[np.float32]],
        learning_rate: float,
        hyperparameters: Hyperparameters,
    ) -> None:
        if keras.backend.backend() != "jax":
            raise RuntimeError(
                f"the optimizer's step is measured on Keras' JAX backend, not on {keras.backend.backend()!r};"
                " set KERAS_BACKEND=jax"
            )
        import jax

        variables = [keras.Variable(jax.numpy.array(values)) for values in parameters]  # copies, to be donated
        made = _optimizer(optimizer, learning_rate, hyperparameters)
        made.build(variables)

        def step(parameters: list[Any], state: list[Any], gradients: Sequence[Any]) -> tuple[Any, Any]:
            return made.stateless_apply(state, gradients, parameters)

        # Donated in the order of the results, as in Keras' own training step: JAX gives each result the first donated
        # buffer of its type that is left, and in another order XLA would copy every array.
        self._step = jax.jit(step, donate_argnums=(0, 1))
        self._parameters = [variable.value for variable in variables]
        self._state = [variable.value for variable in made.variables]

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[Any]:
        """The framework's arrays for `take`."""
        import jax

        return jax.block_until_ready([ops.convert_to_tensor(value) for value in values])

    def take(self, gradients: Sequence[Any]) -> None:
        """Gives the gradients of the next step, so that handing them over is no part of its time."""
        self._gradients = gradients

    def run(self) -> None:
        """One step; returns when it is done."""
        import jax

        made = self._step(self._parameters, self._state, self._gradients)
        self._parameters, self._state = jax.block_until_ready(made)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(array.nbytes for array in self._state)


def _parameter_name(variable: Any) -> str:
    """The parameter's name in every framework: h.0.ln_1.weight for Keras' gpt2/h_0/ln_1/gamma."""
    own = {"embeddings": "weight", "gamma": "weight", "beta": "bias", "kernel": "weight", "bias": "bias"}
    *path, last = variable.path.split("/")[1:]
    return ".".join([*path, own[last]]).replace("h_", "h.", 1)  # a layer's name may have no dot


def _optimizer(
    name: str, learning_rate: Any, hyperparameters: Hyperparameters, **kwargs: Any
) -> keras.optimizers.Optimizer:
    return OPTIMIZERS[name](
        learning_rate=learning_rate,
        beta_1=hyperparameters.beta1,
        beta_2=hyperparameters.beta2,
        epsilon=hyperparameters.epsilon,
        weight_decay=hyperparameters.weight_decay,
        **kwargs,
    )
