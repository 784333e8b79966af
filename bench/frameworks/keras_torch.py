"""An optimizer's step in Keras on PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy.typing as npt
import torch
from torch import Tensor

from bench import machine
from bench.frameworks.torch_memory import available_bytes, transient_bytes
from bench.frameworks.torch_speed import VariantStep, compiled, cuda_clock, set_threads, to_numpy
from bench.paired import Gradients, wall_seconds
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.course import check_memory

__all__ = ["DISTRIBUTIONS", "ROOMS", "Runner", "devices", "hardware", "set_threads"]

DISTRIBUTIONS = ("torch", "numba", "triton")
ROOMS = ("keras", "torch")  # the kernels are those of the PyTorch room
_COPIES = 8
"""Temporaries of a step in copies of the parameters: an estimate, on the safe side."""


class Runner:
    """What one cell needs.

    Args:
        cell: What is measured.
        shapes: Its tensors.

    Raises:
        NotMeasurableError: Keras uses another device, or it does not fit.
    """

    def __init__(self, cell: Cell, shapes: Sequence[tuple[int, ...]]) -> None:
        if (cell.device,) != devices():
            raise NotMeasurableError(
                f"Keras on PyTorch {torch.__version__} runs on {devices()[0]} here"
                + (", unless CUDA_VISIBLE_DEVICES= hides it" if torch.cuda.is_available() else "")
            )
        self._device, dtype = torch.device(cell.device), getattr(torch, cell.dtype)
        self.itemsize: int = dtype.itemsize
        check_memory(
            cell.parameters() * (11 * self.itemsize + _COPIES * max(4, self.itemsize)), available_bytes(self._device)
        )
        self._dtype = cell.dtype
        self._gradients = Gradients(shapes, lambda pool: torch.from_numpy(pool).to(self._device, dtype))
        self._values = self._gradients.draw()
        self.clock = cuda_clock() if cell.device == "cuda" else wall_seconds

    def fresh(self) -> list[Tensor]:
        """New gradients."""
        return self._gradients.draw()

    def step(self, optimizer: keras.optimizers.Optimizer, form: str) -> Step:
        """The step as the trainer does it."""
        variables = [keras.Variable(values.clone(), dtype=self._dtype) for values in self._values]
        return Step(optimizer, form, variables, self._device)

    def fastest_adamw(self) -> VariantStep:
        """PyTorch's own, fused."""
        return VariantStep("adamw-fused", self._values)


class Step:
    """A step; see `bench.speed.course.MeasuredStep`.

    Args:
        optimizer: What makes it.
        form: "eager" or "compile".
        variables: What it updates.
        device: Where they are.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, form: str, variables: list[Any], device: torch.device
    ) -> None:
        optimizer.build(variables)
        self._optimizer, self._variables, self._device = optimizer, variables, device
        self._apply = compiled(optimizer.apply) if form == "compile" else optimizer.apply

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Gives the gradients of the next step."""
        self._taken = gradients

    @torch.no_grad()
    def run(self) -> None:
        """One step. On a GPU it may return before the step is done."""
        self._apply(self._taken, self._variables)

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """The parameters."""
        return (to_numpy(variable.value) for variable in self._variables)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(variable.value.nbytes for variable in self._optimizer.variables)

    def inspect(self) -> dict[str, Any]:
        """What `bench.frameworks.torch_memory.transient_bytes` returns."""
        return transient_bytes(self.run, self._device)


def devices() -> tuple[str, ...]:
    """The device that Keras chooses."""
    return ("cuda",) if torch.cuda.is_available() else ("cpu",)


def hardware(device: str) -> dict[str, Any]:
    """What the figures depend on beside code and versions."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else machine.processor(),
        "system": machine.system(),
        "cores": machine.cores(),
        "threads": torch.get_num_threads(),
    }
