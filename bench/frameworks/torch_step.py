"""An optimizer's step alone in PyTorch, on the device that asv's benchmarks run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.device import device_of_environment
from bench.frameworks.torch_memory import transient_bytes
from bench.frameworks.torch_optimizers import make_optimizer
from bench.paired import wall_seconds
from bench.settings import estimates_every
from bench.tasks import Hyperparameters, Task, parameter_shapes


class OptimizerStep:
    """The optimizer alone, on tensors of given values.

    Args:
        optimizer: A key of `bench.frameworks.torch_optimizers.OPTIMIZERS`.
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
        self._device = torch.device(device_of_environment("torch"))
        self._parameters = [nn.Parameter(torch.tensor(values, device=self._device)) for values in parameters]
        names = () if task is None else parameter_shapes(task.model)
        given = dict(zip(names, self._parameters, strict=True)) if names else self._parameters
        self._optimizer = make_optimizer(optimizer, given, learning_rate, hyperparameters, task)
        self._estimates_every, self._steps = estimates_every(optimizer, task), 0

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[Tensor]:
        """The framework's arrays for `take`."""
        device = device_of_environment("torch")
        return [torch.from_numpy(value).to(device) for value in values]

    @staticmethod
    def clock() -> Callable[[Callable[[], object]], float]:
        """What measures `run`: events on a GPU, where each step begins with parameters in memory, not in a cache."""
        if device_of_environment("torch") == "cpu":
            return wall_seconds
        from bench.frameworks.torch_speed import cuda_clock

        return cuda_clock()

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Gives the gradients of the next step, so that handing them over is no part of its time."""
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient

    def run(self) -> None:
        """One step; returns when it is done. Gradients stand in for estimates of the curvature, where it wants them."""
        if self._estimates_every and self._steps % self._estimates_every == 0:
            self._optimizer.update_hessian({parameter: parameter.grad for parameter in self._parameters})
        self._steps += 1
        self._optimizer.step()
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step. PyTorch's optimizers make their state in the first."""
        self._begin()
        values = (value for state in self._optimizer.state.values() for value in state.values())
        tensors = {id(value): value for value in values if isinstance(value, Tensor)}  # some are shared
        return sum(tensor.nbytes for tensor in tensors.values())

    def transient_bytes(self) -> int:
        """The most that a step holds for its own time, by PyTorch's account of its allocations."""
        self._begin()
        return transient_bytes(self.run, self._device)["transientBytes"]

    def kernels_per_step(self) -> int:
        """What a step starts: on a GPU the kernels that the profiler saw there, without copies and fills by the
        driver; on a CPU the ATen operators that PyTorch dispatches. Loops that Numba compiled are no operators of
        PyTorch and do not count, so on a CPU the figure is PyTorch's share of the step.
        """
        self._begin()
        if self._device.type == "cuda":
            return sum(1 for _ in _cuda_kernels(self.run))
        with _Counting() as counting:
            self.run()
        return counting.operators

    def _begin(self) -> None:
        """Makes the first step, which creates the state, where none was made."""
        if not self._optimizer.state:
            self.take([torch.zeros_like(parameter) for parameter in self._parameters])
            self.run()


class _Counting(TorchDispatchMode):
    """Counts operators, a fused one or one over a list of tensors as one."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operators += 1
        return func(*args, **(kwargs or {}))


def _cuda_kernels(run: Callable[[], object]) -> Iterator[str]:
    """The names of the kernels that ran."""
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        run()
        torch.cuda.synchronize()
    for event in profile.events() or ():
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.name.startswith(("Memcpy", "Memset")):
            yield event.name
