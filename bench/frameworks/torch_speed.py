"""What `bench.speed` measures in PyTorch: the step of an optimizer's variant beside `torch.optim.AdamW(fused=True)`."""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import alphaadam
from alphaadam.torch import AlphaAdam
from bench.frameworks.torch_memory import available_bytes, estimated_bytes, transient_bytes
from bench.paired import LEARNING_RATE, Gradients, paired_seconds, shapes_of, wall_seconds
from bench.speed import BASELINE, MOST_ROUNDS, Cell, NotMeasurableError
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

STEPS_BEFORE = 3
"""Steps before any measuring: state is made, kernels are built, torch.compile sees that the step count varies."""
USED_MEMORY = 0.9
"""Part of the free memory that a cell may need: beyond it, systems begin to end processes."""
FLUSHED_BYTES = 256 * 2**20
"""Written on a GPU before each timed step, several times its L2 cache: a step begins with parameters in memory."""


def minimal_bytes(variant: str, dtype: torch.dtype) -> float:
    """Bytes per parameter that a step cannot do without.

    AdamW reads the parameter, gradient and both moments and writes all but the gradient. AlphaAdam needs both norms
    before it may write a parameter: a first phase reads gradient and moments and writes moments and one mask bit, a
    second reads parameter, moments and bit and writes the parameter.
    """
    return 7 * dtype.itemsize if variant.startswith("adamw") else 9 * dtype.itemsize + 2 / 8


class VariantStep:
    """A variant's step on copies of given tensors; see `bench.paired.Step`.

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
        self._step = _compiled(self.optimizer) if form == "compile" else self.optimizer.step

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Gives the gradients of the next step."""
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient

    def run(self) -> None:
        """One step. On a GPU it may return before the step is done."""
        self._step()

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
        "seconds" and "baselineSeconds", one entry for each round; "parameters", "tensors" and "parameterBytes";
        "minimalBytes", what a step must move; "stateBytes" and "baselineStateBytes"; with `transient` what
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
    needed, available = estimated_bytes(cell.variant, shapes, dtype), available_bytes(device)
    if needed > USED_MEMORY * available:
        raise NotMeasurableError(
            f"needs about {needed / 2**30:.1f} GiB of memory; {available / 2**30:.1f} GiB are free, some to be left"
        )

    gradients = Gradients(shapes, lambda pool: torch.from_numpy(pool).to(device, dtype))
    initial = gradients.draw()
    measured, baseline = (VariantStep(variant, initial) for variant in (cell.variant, BASELINE))
    for _ in range(STEPS_BEFORE):
        fresh = gradients.draw()
        for step in (measured, baseline):
            step.take(fresh)
            step.run()
    _check_moved(measured, initial)
    memory = {}
    if transient:
        measured.take(gradients.draw())
        memory = transient_bytes(measured.run, device)
    clock = _cuda_clock() if device.type == "cuda" else wall_seconds
    own, baselines = paired_seconds(
        measured, baseline, gradients.draw, budget=seconds, most_rounds=MOST_ROUNDS, clock=clock
    )
    _check_moved(measured, initial)
    parameters = cell.parameters()
    return {
        "parameters": parameters,
        "tensors": len(shapes),
        "parameterBytes": parameters * dtype.itemsize,
        "minimalBytes": round(parameters * minimal_bytes(cell.variant, dtype)),
        "stateBytes": measured.state_bytes(),
        "baselineStateBytes": baseline.state_bytes(),
        **memory,
        "seconds": [_rounded(value) for value in own],
        "baselineSeconds": [_rounded(value) for value in baselines],
    }


def _compiled(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """The step under `torch.compile`.

    Raises, when run, where it would run without being compiled: the time would be another variant's.
    """
    from torch._dynamo import config
    from torch._dynamo.utils import counters

    torch.compiler.reset()  # else the cell before counts towards the limit of recompilations
    counters.clear()
    config.fail_on_recompile_limit_hit = True
    step = torch.compile(optimizer.step)

    def run() -> None:
        step()
        if not counters["stats"]["unique_graphs"]:
            raise NotMeasurableError("torch.compile found nothing in this step that it can compile")

    return run


def _check_moved(step: VariantStep, initial: Sequence[Tensor]) -> None:
    for parameter, value in zip(step.parameters, initial, strict=True):
        if not parameter.isfinite().all() or torch.equal(parameter.detach(), value):
            raise NotMeasurableError(
                f"the step does not do its work: a parameter of shape {tuple(value.shape)} did not change, or is not"
                " finite; its time would mean nothing"
            )


def _cuda_clock() -> Callable[[Callable[[], object]], float]:
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


def _rounded(value: float) -> float:
    """Five digits, which is more than any clock here gives."""
    return float(f"{value:.5g}")


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
    for name in ("numba", "triton"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    cuda = device == "cuda" and torch.cuda.is_available()
    if cuda:
        versions["cuda"] = str(torch.version.cuda)
    return {
        "versions": versions,
        "alphaadamSource": _source_digest(),
        "device": torch.cuda.get_device_name() if cuda else _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _source_digest() -> str:
    """Of the code that is measured: the version alone does not change with each commit."""
    folder = Path(alphaadam.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), *folder.glob("torch/**/*.py")]):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
