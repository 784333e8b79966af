"""An optimizer's step in Keras on TensorFlow, on the CPU."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy.typing as npt
import tensorflow as tf

from bench import machine
from bench.hlo import read_hlo
from bench.paired import Gradients, wall_seconds
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.course import check_memory

DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")
ROOMS = ("keras",)
_WRAP: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "jit": lambda apply: tf.function(apply, jit_compile=True),
    "graph": lambda apply: tf.function(apply, jit_compile=False),
    "eager": lambda apply: apply,
}
_COPIES = 8
"""Temporaries of a step in copies of the parameters: an estimate, on the safe side."""


class Runner:
    """What one cell needs.

    Args:
        cell: What is measured.
        shapes: Its tensors.

    Raises:
        NotMeasurableError: It is not on the CPU, or does not fit.
    """

    clock = staticmethod(wall_seconds)

    def __init__(self, cell: Cell, shapes: Sequence[tuple[int, ...]]) -> None:
        if cell.device != "cpu":
            raise NotMeasurableError("TensorFlow is measured on the CPU only")
        dtype = tf.as_dtype(cell.dtype)
        self.itemsize: int = dtype.size
        check_memory(cell.parameters() * (8 * self.itemsize + 4 + _COPIES * 4), machine.available_bytes())
        self._dtype = cell.dtype
        self._gradients = Gradients(shapes, lambda pool: pool.astype(dtype.as_numpy_dtype, copy=False))
        self._values = self._gradients.draw()

    def fresh(self) -> list[Any]:
        """New gradients."""
        return [tf.convert_to_tensor(values) for values in self._gradients.draw()]

    def step(self, optimizer: keras.optimizers.Optimizer, form: str) -> Step:
        """The step as a training step does it, in a function or not."""
        return Step(optimizer, form, [keras.Variable(values, dtype=self._dtype) for values in self._values])

    def fastest_adamw(self) -> None:
        """Keras' own is the one that TensorFlow has."""


class Step:
    """A step; see `bench.speed.course.MeasuredStep`.

    Args:
        optimizer: What makes it.
        form: A key of `_WRAP`.
        variables: What it updates.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, form: str, variables: list[Any]) -> None:
        optimizer.build(variables)
        self._optimizer, self._form, self._variables = optimizer, form, variables
        self._apply = _WRAP[form](lambda gradients: optimizer.apply(gradients, variables))
        weakref.finalize(self, _empty, [variable.value for variable in (*variables, *optimizer.variables)])

    def take(self, gradients: Sequence[Any]) -> None:
        """Gives the gradients of the next step."""
        self._taken = gradients

    def run(self) -> None:
        """One step; on a CPU it returns when the step is done."""
        self._apply(self._taken)

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """The parameters."""
        return (variable.value.numpy() for variable in self._variables)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(
            math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in self._optimizer.variables
        )

    def inspect(self) -> dict[str, Any]:
        """How far the process grows, where the system tells, and what XLA made of the step, where it did.

        Returns:
            "transientResidentBytes", and "xla", what `bench.hlo.read_hlo` returns.
        """
        grown = machine.resident_growth(self.run)
        found: dict[str, Any] = {} if grown is None else {"transientResidentBytes": grown}
        if self._form == "jit":
            text = self._apply.experimental_get_compiler_ir(self._taken)(stage="optimized_hlo")  # type: ignore[attr-defined]
            found["xla"] = read_hlo(text, {math.prod(variable.shape) for variable in self._variables})
        return found


def _empty(variables: Sequence[tf.Variable]) -> None:
    """Gives back the memory of variables: TensorFlow keeps the graphs of functions, which keep their variables."""
    for variable in variables:
        tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.zeros([], variable.dtype))


def devices() -> tuple[str, ...]:
    """The devices that are measured."""
    return ("cpu",)


def set_threads(number: int) -> None:
    """TensorFlow makes as many threads as the process has cores, when it is first used."""
    machine.use_cores(number)


def hardware(device: str) -> dict[str, Any]:
    """What the figures depend on beside code and versions."""
    return {
        "device": machine.processor(),
        "system": machine.system(),
        "cores": machine.cores(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or machine.cores(),
    }
