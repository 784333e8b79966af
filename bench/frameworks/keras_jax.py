"""An optimizer's step in Keras on JAX."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import jax
import keras

from bench.frameworks.jax_step import (
    JaxStep,
    available_bytes,
    clock_on,
    device_of,
    devices,
    dtype_of,
    estimated_bytes,
    gradients_on,
    hardware,
    set_threads,
)
from bench.paired import Gradients
from bench.speed.cells import Cell
from bench.speed.course import check_memory

__all__ = ["DISTRIBUTIONS", "ROOMS", "Runner", "devices", "hardware", "set_threads"]

DISTRIBUTIONS = ("jax", "jaxlib", "optax")
ROOMS = ("keras",)


class Runner:
    """What one cell needs.

    Args:
        cell: What is measured.
        shapes: Its tensors.
    """

    def __init__(self, cell: Cell, shapes: Sequence[tuple[int, ...]]) -> None:
        self._cell, self._device, dtype = cell, device_of(cell), dtype_of(cell)
        check_memory(estimated_bytes(cell, 3, dtype), available_bytes(self._device))
        self._gradients = Gradients(shapes, lambda pool: pool.astype(dtype, copy=False))
        self._values, self._to_device = self._gradients.draw(), gradients_on(self._device)
        self.itemsize: int = dtype.itemsize
        self.clock = clock_on(self._device)

    def fresh(self) -> list[jax.Array]:
        """New gradients."""
        return self._to_device(self._gradients.draw())

    def step(self, optimizer: keras.optimizers.Optimizer, form: str) -> JaxStep:
        """The step as a loop in JAX and Keras' own training step do it: without state in the variables."""
        variables = [keras.Variable(values, dtype=self._cell.dtype) for values in self._values]
        optimizer.build(variables)

        def step(parameters: list[jax.Array], state: list[jax.Array], gradients: list[jax.Array]) -> tuple[Any, Any]:
            return optimizer.stateless_apply(state, gradients, parameters)

        made = JaxStep(
            step,
            [variable.value for variable in variables],
            [variable.value for variable in optimizer.variables],
            form == "jit",
            self._device,
        )
        return made

    def fastest_adamw(self) -> JaxStep | None:
        """Of what there is in JAX, where a step is compiled and Optax is installed."""
        if not self._cell.variant.endswith("-jit") or importlib.util.find_spec("optax") is None:
            return None
        from bench.frameworks.jax_speed import optax_step

        return optax_step("adamw-jit", self._values, self._device)
