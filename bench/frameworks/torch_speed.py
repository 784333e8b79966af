"""What `bench.speed` measures in PyTorch: the step of an optimizer's variant beside `torch.optim.AdamW(fused=True)`."""

from __future__ import annotations

import gc
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import alphaadam
from alphaadam.torch import AlphaAdam
from bench import machine
from bench.frameworks.torch_memory import available_bytes, estimated_bytes, transient_bytes
from bench.paired import LEARNING_RATE, Gradients, shapes_of, wall_seconds
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.course import check_memory, measure_in_turn
from bench.speed.plans import FRAMEWORKS
from bench.tasks import Hyperparameters

FORMS: dict[str, dict[str, bool]] = {
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "loop": {"foreach": False, "fused": False},
    "compile": {"foreach": True},
}
"""How each form of a step is asked for: PyTorch's own arguments. "compile" is `torch.compile` of the foreach step."""
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"alphaadam": AlphaAdam, "adamw": torch.optim.AdamW}
VARIANTS = tuple(f"{optimizer}-{form}" for optimizer in OPTIMIZERS for form in FORMS)

FLUSHED_BYTES = 256 * 2**20
"""Written on a GPU before each timed step, several times its L2 cache: a step begins with parameters in memory."""


class VariantStep:
    """A variant's step on copies of given tensors; see `bench.speed.course.MeasuredStep`.

    Args:
        variant: A name of `VARIANTS`.
        values: Initial values.
    """

    def __init__(self, variant: str, values: Sequence[Tensor]) -> None:
        optimizer, form = variant.split("-")
        settings = Hyperparameters()
        self.parameters = [nn.Parameter(value.clone()) for value in values]
        self.optimizer = OPTIMIZERS[optimizer](
            self.parameters,
            lr=LEARNING_RATE,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            **FORMS[form],
        )
        self._step = compiled(self.optimizer.step) if form == "compile" else self.optimizer.step

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Gives the gradients of the next step."""
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient

    def run(self) -> None:
        """One step. On a GPU it may return before the step is done."""
        self._step()

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """The parameters."""
        return map(to_numpy, self.parameters)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(value.nbytes for state in self.optimizer.state.values() for value in state.values())


def measure(cell: Cell, seconds: float, transient: bool) -> dict[str, Any]:
    """Measures a variant's step beside the baseline's, in turn, on the same fresh gradients.

    Args:
        cell: What to measure.
        seconds: How long the rounds go on.
        transient: Whether to measure what a step allocates for its own time, too.

    Returns:
        What `bench.speed.course.measure_in_turn` returns; with `transient` also what
        `bench.frameworks.torch_memory.transient_bytes` returns.

    Raises:
        NotMeasurableError: The device or the memory is not there, or the steps do nothing.
        Exception: Whatever the optimizer raises where it cannot run.
    """
    gc.collect()  # what the cell before held, above all where it failed
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if cell.device == "cuda" and not torch.cuda.is_available():
        raise NotMeasurableError(f"this machine, or this build of PyTorch ({torch.__version__}), has no CUDA device")
    device, dtype, shapes = torch.device(cell.device), getattr(torch, cell.dtype), shapes_of(cell.shapes)
    check_memory(estimated_bytes(cell.variant, shapes, dtype), available_bytes(device))
    gradients = Gradients(shapes, lambda pool: torch.from_numpy(pool).to(device, dtype))
    initial = gradients.draw()
    measured, baseline = (
        VariantStep(variant, initial) for variant in (cell.variant, FRAMEWORKS["torch"].baseline_of(cell.variant))
    )
    return measure_in_turn(
        cell,
        dtype.itemsize,
        {"seconds": measured, "baselineSeconds": baseline},
        gradients.draw,
        seconds,
        lambda: transient_bytes(measured.run, device) if transient else {},
        cuda_clock() if device.type == "cuda" else wall_seconds,
    )


def to_numpy(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's values; of bfloat16, which NumPy has not, in float32."""
    return (tensor.detach().float() if tensor.itemsize < 4 else tensor.detach()).cpu().numpy()


def compiled(step: Callable[..., object]) -> Callable[..., object]:
    """An optimizer's step under `torch.compile`.

    Raises, when run, where it would run without being compiled: the time would be another variant's.
    """
    from torch._dynamo import config
    from torch._dynamo.utils import counters

    torch.compiler.reset()  # else the cell before counts towards the limit of recompilations
    counters.clear()
    config.fail_on_recompile_limit_hit = True
    compiled_step = torch.compile(step)

    def run(*args: Any) -> None:
        compiled_step(*args)
        if not counters["stats"]["unique_graphs"]:
            raise NotMeasurableError("torch.compile found nothing in this step that it can compile")

    return run


def cuda_clock() -> Callable[[Callable[[], object]], float]:
    """Measures on the GPU, from an idle device and a cold L2 cache until the last kernel is done.

    The device is idle when the first kernel is launched, so time in which it waits for Python to launch the next
    one counts.
    """
    ballast = torch.empty(FLUSHED_BYTES, dtype=torch.uint8, device="cuda")
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def seconds(run: Callable[[], object]) -> float:
        ballast.zero_()
        torch.cuda.synchronize()
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3

    return seconds


def devices() -> tuple[str, ...]:
    """The devices that are here."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def set_threads(number: int) -> None:
    """Sets the number of threads of PyTorch's operations on the CPU."""
    torch.set_num_threads(number)


def environment(device: str) -> dict[str, Any]:
    """What the figures depend on beside the cell: code, versions, hardware and number of threads."""
    versions = {"alphaadam": alphaadam.__version__, "python": platform.python_version(), "torch": torch.__version__}
    versions["numpy"] = np.__version__
    versions |= machine.versions_of("numba", "triton")
    cuda = device == "cuda" and torch.cuda.is_available()
    if cuda:
        versions["cuda"] = str(torch.version.cuda)
    return {
        "versions": versions,
        "alphaadamSource": machine.source_digest(Path(alphaadam.__file__).parent, "torch"),
        "device": torch.cuda.get_device_name() if cuda else machine.processor(),
        "system": machine.system(),
        "cores": machine.cores(),
        "threads": torch.get_num_threads(),
    }
