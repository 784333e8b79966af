"""Training GPT-2 and an optimizer step in JAX, with optimizers of Optax."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from bench.frameworks.jax_curvature import estimator_of, with_estimates
from bench.frameworks.jax_devices import Placement, exact_products, mean_over_parts
from bench.frameworks.jax_gpt2 import logits, mean_loss
from bench.frameworks.jax_observation import Figures, Observer, figures
from bench.frameworks.jax_optimizers import LIBRARIES, MASKED, OPTIMIZERS, decays, make_optimizer
from bench.frameworks.jax_step import JaxStep
from bench.names import check_name
from bench.parameters import named
from bench.settings import estimates_every
from bench.tasks import Hyperparameters, Task, parameter_shapes
from bench.tasks.execution import Execution
from bench.tasks.inputs import Inputs

__all__ = ["LIBRARIES", "MASKED", "OPTIMIZERS", "OptimizerStep", "Training", "versions"]

PRODUCTS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def versions() -> dict[str, str]:
    """Versions of what is measured."""
    return {"jax": jax.__version__, "optax": optax.__version__}


class Training:
    """A model in training.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
        execution: Where it trains, in how many parts a batch is cut, and whether all devices share it ("sharded").

    Raises:
        RuntimeError: The device is not there.
        ValueError: A name is unknown, or the batch cannot be cut evenly.
    """

    def __init__(
        self, inputs: Inputs, optimizer: str, learning_rate: float, execution: Execution | None = None
    ) -> None:
        task, execution = inputs.task, execution or Execution()
        check_name("optimizer", optimizer, OPTIMIZERS)
        products = PRODUCTS[check_name("precision", task.precision, PRODUCTS)]
        rates = jnp.asarray(inputs.learning_rates(learning_rate))
        self._placement = place = Placement(execution, task.batch_size)
        parts = execution.micro_batches
        shapes = parameter_shapes(task.model)
        names = {name: name for name in shapes}
        every, estimate = estimator_of(optimizer, task)

        def schedule(count: jax.Array) -> jax.Array:
            return rates[count]

        def transformation(**diagnostics: bool) -> optax.GradientTransformation:
            return optax.chain(
                optax.clip_by_global_norm(task.clip_norm),
                make_optimizer(optimizer, schedule, task.hyperparameters, decays, names, shapes, task, **diagnostics),
            )

        def loss_of_part(parameters: dict[str, jax.Array], tokens: jax.Array) -> jax.Array:
            with exact_products(execution.device, task.precision):
                return mean_loss(task.model, place.whole(parameters), tokens, products)

        def loss(parameters: dict[str, jax.Array], tokens: jax.Array) -> jax.Array:
            return mean_over_parts(lambda part: loss_of_part(parameters, part), parts, tokens)

        def with_gradients(parameters: dict[str, jax.Array], tokens: jax.Array) -> tuple[jax.Array, Any]:
            def of_part(part: jax.Array) -> tuple[jax.Array, Any]:
                value, gradients = jax.value_and_grad(loss_of_part)(parameters, part)
                return value, place.in_shards(gradients)

            return mean_over_parts(of_part, parts, tokens)

        def estimates(parameters: dict[str, jax.Array], tokens: jax.Array, count: jax.Array) -> Any:
            def predicted(part: jax.Array, parameters: dict[str, jax.Array]) -> jax.Array:
                with exact_products(execution.device, task.precision):
                    return logits(task.model, place.whole(parameters), part[:, :-1], products)

            return mean_over_parts(lambda part: estimate(partial(predicted, part), parameters, count), parts, tokens)

        plain = transformation()

        def step(parameters: dict[str, jax.Array], state: Any, tokens: jax.Array) -> tuple[Any, Any, jax.Array]:
            value, gradients = with_gradients(parameters, tokens)
            update = with_estimates(plain, every, partial(estimates, parameters, tokens)) if every else plain.update
            updates, state = update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state, value

        self._names = tuple(inputs.initial_parameters)  # JAX sorts them
        self._parameters = place.put(dict(inputs.initial_parameters))
        self._state = place.put(plain.init(self._parameters))
        results = place.results(self._parameters, self._state)
        self._step = jax.jit(step, donate_argnums=(0, 1), out_shardings=results)
        self._loss = jax.jit(loss)
        recording = transformation(record_diagnostics=True) if optimizer in MASKED else None

        def look(parameters: dict[str, jax.Array], state: Any, tokens: jax.Array) -> Figures:
            _, gradients = with_gradients(parameters, tokens)
            if recording is None:
                return figures(gradients, {}, {})
            _, state = recording.update(gradients, state, parameters)
            return figures(gradients, optax.tree.get(state, "alpha"), optax.tree.get(state, "mask"))

        self._observer = Observer(look, {name: values.size for name, values in inputs.initial_parameters.items()})

    def step(self, tokens: npt.NDArray[np.int32], observe: bool = False) -> float:
        """Trains on one batch.

        Args:
            tokens: The batch.
            observe: Whether `observation` will be asked for; see `Observer` for what it costs.

        Returns:
            The loss of the batch before the update, in nats per token.
        """
        batch = self._placement.batch(tokens)
        if not observe:
            return self._train(batch)
        return self._observer.observe(
            lambda: self._train(batch), lambda: self._parameters, self._parameters, self._state, batch
        )

    def _train(self, batch: Any) -> float:
        self._parameters, self._state, loss = self._step(self._parameters, self._state, batch)
        return float(loss)

    def observation(self) -> dict[str, Any]:
        """What the last observed step did.

        Returns:
            "gradientNorm", before clipping; "updateNorm", of how far the parameters moved, decay included; "tensors",
            by parameter name "maskFraction", the part of the coordinates that the mask kept, and "alpha", both None
            for an optimizer without a mask.

        Raises:
            RuntimeError: No step was observed.
        """
        return self._observer.observation()

    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        return float(self._loss(self._parameters, self._placement.batch(tokens)))

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name."""
        return {name: np.asarray(self._parameters[name]) for name in self._names}


class OptimizerStep(JaxStep):
    """The optimizer alone, on tensors of given values.

    Args:
        optimizer: A key of `OPTIMIZERS`.
        parameters: Initial values.
        learning_rate: Learning rate.
        hyperparameters: The optimizer's other settings.
        task: The task whose model's parameters these are; None for tensors without names, whose matrices are hidden.
    """

    def __init__(
        self,
        optimizer: str,
        parameters: Sequence[npt.NDArray[np.float32]],
        learning_rate: float,
        hyperparameters: Hyperparameters,
        task: Task | None = None,
    ) -> None:
        shapes = named(parameters) if task is None else parameter_shapes(task.model)
        transformation = make_optimizer(optimizer, learning_rate, hyperparameters, None, [*shapes], shapes, task)
        every = estimates_every(optimizer, task)

        def step(parameters: list[jax.Array], state: Any, gradients: list[jax.Array]) -> tuple[Any, Any]:
            # Gradients stand in for estimates of the curvature, where an optimizer wants them.
            update = with_estimates(transformation, every, lambda count: gradients) if every else transformation.update
            updates, state = update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        values = [jnp.array(value) for value in parameters]
        super().__init__(step, values, transformation.init(values), compiled=True, device=jax.devices()[0])

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[jax.Array]:
        """The framework's arrays for `take`."""
        return jax.block_until_ready([jnp.asarray(value) for value in values])
