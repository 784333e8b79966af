"""Training GPT-2 in Keras 3, on any backend; on JAX with all of `Execution`, and the optimizer's step alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when it is imported

import keras
from keras import ops

from bench.frameworks.keras_gpt2 import GPT2, POLICIES, parameter_name
from bench.frameworks.keras_optimizers import LIBRARIES, MASKED, OPTIMIZERS, Table, make_optimizer
from bench.names import check_name, load_baseline
from bench.parameters import named
from bench.settings import CURVATURE, estimates_every, settings_of
from bench.tasks import Hyperparameters, Task, parameter_shapes
from bench.tasks.execution import Execution
from bench.tasks.inputs import Inputs

__all__ = ["LIBRARIES", "MASKED", "OPTIMIZERS", "OptimizerStep", "Training", "versions"]


def versions() -> dict[str, str]:
    """Versions of what is measured."""
    backend = keras.backend.backend()
    module = __import__(backend)
    return {"keras": keras.__version__, backend: module.__version__}


class Training:
    """A model in training, by Keras' own `train_on_batch`.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
        execution: Where it trains, in how many parts a batch is cut, and whether all devices share it ("sharded", which
            in Keras is `keras.distribution.DataParallel`: each has a copy of the parameters).

    Raises:
        RuntimeError: The device is not there, or Keras runs on another backend than JAX and `execution` is not the
            plain one.
        ValueError: A name is unknown, or the batch cannot be cut evenly.
    """

    def __init__(
        self, inputs: Inputs, optimizer: str, learning_rate: float, execution: Execution | None = None
    ) -> None:
        task, execution = inputs.task, execution or Execution()
        check_name("optimizer", optimizer, OPTIMIZERS)
        check_name("precision", task.precision, POLICIES)
        self._on_jax = keras.backend.backend() == "jax"
        if not self._on_jax and execution != Execution():
            raise RuntimeError(f"{execution} is possible on Keras' JAX backend alone; set KERAS_BACKEND=jax")
        every, estimate = estimates_every(optimizer, task), None
        if every:
            if not self._on_jax:
                raise RuntimeError(f"{optimizer} trains on Keras' JAX backend alone; set KERAS_BACKEND=jax")
            estimate = load_baseline("keras", settings_of(optimizer, task)[CURVATURE]["estimator"])
        self._parts = execution.micro_batches
        self._device, self._precision = execution.device, task.precision
        if self._on_jax:
            from bench.frameworks.keras_on_jax import GPT2InParts, Placement, looking

            self._placement = Placement(execution, task.batch_size)

        def optimizer_of_task(**diagnostics: bool) -> keras.optimizers.Optimizer:
            made = make_optimizer(
                optimizer,
                Table(inputs.learning_rates(learning_rate)),
                task.hyperparameters,
                {name: variable.path for name, variable in self._variables.items()},
                parameter_shapes(task.model),
                task,
                global_clipnorm=task.clip_norm,
                **diagnostics,
            )
            made.exclude_from_weight_decay([v for v in self._variables.values() if len(v.shape) < 2])
            return made

        with self._scope():
            if self._parts == 1 and not every:
                self.model = GPT2(task.model, task.precision)
            else:
                self.model = GPT2InParts(self._parts, every, estimate, task.model, task.precision)
            self.model(np.zeros((1, task.model.context), np.int32))  # a call creates the variables
            self._variables = {parameter_name(v): v for v in self.model.trainable_variables}
            for name, values in inputs.initial_parameters.items():
                self._variables[name].assign(values)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            self.model.compile(optimizer_of_task(), loss)
            if self._on_jax:
                from bench.frameworks.jax_observation import Observer

                self.model.optimizer.build(self.model.trainable_variables)
                recording = (lambda: optimizer_of_task(record_diagnostics=True)) if optimizer in MASKED else None
                look = looking(self.model, tuple(self._variables), self._parts, recording)
                sizes = {name: values.size for name, values in inputs.initial_parameters.items()}
                self._observer = Observer(look, sizes)

    def step(self, tokens: npt.NDArray[np.int32], observe: bool = False) -> float:
        """Trains on one batch.

        Args:
            tokens: The batch.
            observe: Whether `observation` will be asked for; see `bench.frameworks.jax_observation.Observer` for what
                it costs.

        Returns:
            The loss of the batch before the update, in nats per token.

        Raises:
            RuntimeError: Keras runs on a backend on which steps cannot be observed.
        """
        if not observe:
            return self._train(tokens)
        self._check_observable()
        with self._scope():
            return self._observer.observe(
                lambda: self._train(tokens),
                lambda: _values(self.model.trainable_variables),
                _values(self.model.trainable_variables),
                _values(self.model.non_trainable_variables),
                _values(self.model.optimizer.variables),
                tokens,
            )

    def observation(self) -> dict[str, Any]:
        """What the last observed step did.

        Returns:
            "gradientNorm", before clipping; "updateNorm", of how far the parameters moved, decay included; "tensors",
            by parameter name "maskFraction", the part of the coordinates that the mask kept, and "alpha", both None
            for an optimizer without a mask.

        Raises:
            RuntimeError: No step was observed, or none can be.
        """
        self._check_observable()
        return self._observer.observation()

    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        with self._scope():
            parts = [tokens[part :: self._parts] for part in range(self._parts)]
            return sum(float(self.model.test_on_batch(part[:, :-1], part[:, 1:])) for part in parts) / self._parts

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name."""
        return {name: np.asarray(variable) for name, variable in self._variables.items()}

    def _train(self, tokens: npt.NDArray[np.int32]) -> float:
        with self._scope():
            return float(self.model.train_on_batch(tokens[:, :-1], tokens[:, 1:]))

    def _check_observable(self) -> None:
        if not self._on_jax:
            raise RuntimeError("steps are observed on Keras' JAX backend alone; set KERAS_BACKEND=jax")

    def _scope(self) -> AbstractContextManager[Any]:
        scope = ExitStack()
        if self._on_jax:
            from bench.frameworks.jax_devices import exact_products

            scope.enter_context(self._placement.scope())
            scope.enter_context(exact_products(self._device, self._precision))
        return scope


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.value for variable in variables]


class OptimizerStep:
    """The optimizer alone, on tensors of given values. Measured on the JAX backend.

    Args:
        optimizer: A key of `OPTIMIZERS`.
        parameters: Initial values.
        learning_rate: Learning rate.
        hyperparameters: The optimizer's other settings.
        task: The task whose model's parameters these are; None for tensors without names, whose matrices are hidden.

    Raises:
        RuntimeError: Keras runs on another backend.
    """

    def __init__(
        self,
        optimizer: str,
        parameters: Sequence[npt.NDArray[np.float32]],
        learning_rate: float,
        hyperparameters: Hyperparameters,
        task: Task | None = None,
    ) -> None:
        if keras.backend.backend() != "jax":
            raise RuntimeError(
                f"the optimizer's step is measured on Keras' JAX backend, not on {keras.backend.backend()!r};"
                " set KERAS_BACKEND=jax"
            )
        import jax

        from bench.frameworks.jax_step import JaxStep

        shapes = named(parameters) if task is None else parameter_shapes(task.model)
        variables = [keras.Variable(values, name=name) for name, values in zip(shapes, parameters, strict=True)]
        paths = dict(zip(shapes, shapes, strict=True))
        made = make_optimizer(optimizer, learning_rate, hyperparameters, paths, shapes, task)
        made.build(variables)

        every = estimates_every(optimizer, task)
        at = [id(variable) for variable in made.variables].index(id(made.iterations))

        def step(parameters: list[Any], state: list[Any], gradients: Sequence[Any]) -> tuple[Any, Any]:
            if every:  # gradients stand in for estimates of the curvature
                state = jax.lax.cond(
                    state[at] % every == 0,
                    lambda: made.stateless_update_hessian(state, gradients),
                    lambda: list(state),
                )
            return made.stateless_apply(state, gradients, parameters)

        # It donates in the order of the results, as Keras' own training step: JAX gives each result the first donated
        # buffer of its type that is left, and in another order XLA would copy every array.
        self._step = JaxStep(step, _values(variables), _values(made.variables), True, jax.devices()[0])

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[Any]:
        """The framework's arrays for `take`."""
        import jax

        return jax.block_until_ready([ops.convert_to_tensor(value) for value in values])

    def take(self, gradients: Sequence[Any]) -> None:
        """Gives the gradients of the next step, so that handing them over is no part of its time."""
        self._step.take(gradients)

    def run(self) -> None:
        """One step; returns when it is done."""
        self._step.run()

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """The parameters."""
        return self._step.values()

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return self._step.state_bytes()

    def kernels_per_step(self) -> int:
        """Kernels that a step runs; see `bench.frameworks.jax_step.JaxStep.kernels_per_step`."""
        return self._step.kernels_per_step()

    def transient_bytes(self) -> int | None:
        """What a step allocates for its own time; see `bench.frameworks.jax_step.JaxStep.transient_bytes`."""
        return self._step.transient_bytes()
