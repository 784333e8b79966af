"""What training with Keras needs of JAX: devices, a batch in parts, and what a step does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import keras

from bench.frameworks.jax_devices import devices_for, mean_over_parts
from bench.frameworks.jax_observation import Figures, figures
from bench.frameworks.keras_gpt2 import GPT2
from bench.tasks.execution import Execution

cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Placement:
    """On which devices a model trains: on one, or on all of a kind, each with its part of every batch and a copy of the
    parameters.

    Args:
        execution: What is asked for.
        batch_size: Sequences in a batch.

    Raises:
        RuntimeError: The device is not there.
        ValueError: JAX has no such way to use several devices, or the batch cannot be cut evenly.
    """

    def __init__(self, execution: Execution, batch_size: int) -> None:
        devices = devices_for(execution, batch_size)
        self._device = devices[0]
        self._distribution = None
        if execution.parallel == "sharded":
            names = [f"{device.platform}:{device.id}" for device in devices]
            self._distribution = keras.distribution.DataParallel(devices=names)

    def scope(self) -> AbstractContextManager[Any]:
        """Variables that are made in it, and batches that are trained on in it, lie where they should.

        Variables are not bound to their one device: JAX binds all that a function makes to the device of any array that
        is bound to one, so the second step would meet other types of arrays than the first, and be compiled anew.
        """
        return jax.default_device(self._device) if self._distribution is None else self._distribution.scope()


class GPT2InParts(GPT2):
    """GPT-2 that trains on a batch in parts, one after the other, and averages their gradients before the step.

    (With Keras' `gradient_accumulation_steps` every part would run the whole optimizer step, to drop what it did.)

    Args:
        parts: Number of parts.
        every: From how many steps to the next the optimizer is given estimates of the curvature; 0 is never.
        estimate: Makes them, as `alphaadam.keras.baselines.gauss_newton_bartlett` does.
        args: Those of `GPT2`.
    """

    def __init__(self, parts: int, every: int, estimate: Callable[..., list[Any]] | None, *args: Any) -> None:
        super().__init__(*args)
        self.parts, self.every, self.estimate = parts, every, estimate

    def train_step(self, state: tuple[Any, ...], data: tuple[Any, ...]) -> tuple[dict[str, Any], tuple[Any, ...]]:
        trainable, fixed, optimizer_values, metrics = state
        inputs, targets, *_ = data
        tokens = jnp.concatenate([inputs, targets[:, -1:]], axis=1)
        loss, gradients = loss_and_gradients(self, self.parts, trainable, fixed, tokens)
        if self.every:
            optimizer_values = self._with_estimates(trainable, fixed, optimizer_values, inputs)
        trainable, optimizer_values = self.optimizer.stateless_apply(optimizer_values, gradients, trainable)
        return {"loss": loss}, (trainable, fixed, optimizer_values, metrics)

    def _with_estimates(self, trainable: list[Any], fixed: list[Any], optimizer_values: list[Any], inputs: Any) -> Any:
        """The optimizer's values, in each so-manieth step with new estimates of the curvature, of the batch's parts."""

        estimate = self.estimate
        assert estimate is not None  # as long as `every` is not 0

        def of_part(part: jax.Array) -> list[Any]:
            return estimate(lambda values: self.stateless_call(values, fixed, part)[0], trainable, count)

        def estimated() -> list[Any]:
            estimates = mean_over_parts(of_part, self.parts, inputs)
            return self.optimizer.stateless_update_hessian(optimizer_values, estimates)

        count = optimizer_values[[id(v) for v in self.optimizer.variables].index(id(self.optimizer.iterations))]
        return jax.lax.cond(count % self.every == 0, estimated, lambda: list(optimizer_values))


def loss_and_gradients(
    model: GPT2, parts: int, trainable: Sequence[Any], fixed: Sequence[Any], tokens: Any
) -> tuple[jax.Array, list[jax.Array]]:
    """Loss and gradients of a batch, the means of those of its parts."""

    def loss(trainable: Sequence[Any], part: jax.Array) -> jax.Array:
        predicted, _ = model.stateless_call(trainable, fixed, part[:, :-1])
        return cross_entropy(part[:, 1:], predicted)

    return mean_over_parts(lambda part: jax.value_and_grad(loss)(trainable, part), parts, tokens)


def looking(
    model: GPT2, names: Sequence[str], parts: int, recording: Callable[[], keras.optimizers.Optimizer] | None
) -> Callable[..., Figures]:
    """Makes the function that an `Observer` needs, of trainable and other variables, the optimizer's, and tokens.

    Args:
        model: The model.
        names: Of its trainable variables.
        parts: Into which a batch is cut.
        recording: Makes the optimizer with ``record_diagnostics=True``; None for one without a mask.
    """

    def look(trainable: list[Any], fixed: list[Any], optimizer_values: list[Any], tokens: Any) -> Figures:
        _, gradients = loss_and_gradients(model, parts, trainable, fixed, tokens)
        if recording is None:
            return figures(gradients, {}, {})
        optimizer = recording()
        optimizer.build(model.trainable_variables)  # while this is traced, so that its variables take no memory
        found = {
            name: optimizer.diagnostics(variable)
            for name, variable in zip(names, model.trainable_variables, strict=True)
        }
        recorded = {id(variable) for alpha_and_mask in found.values() for variable in alpha_and_mask}
        given = iter(optimizer_values)
        before = [v.value if id(v) in recorded else next(given) for v in optimizer.variables]
        _, after = optimizer.stateless_apply(before, gradients, trainable)
        value_of = {id(variable): value for variable, value in zip(optimizer.variables, after, strict=True)}
        return figures(
            gradients,
            {name: value_of[id(alpha)] for name, (alpha, _) in found.items()},
            {name: value_of[id(mask)] for name, (_, mask) in found.items()},
        )

    return look
