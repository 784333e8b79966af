"""Memory that a step in PyTorch needs, estimated beforehand and measured."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from bench import machine

# Temporaries of a step in copies of what it works on, in the type of the arithmetic: estimates, on the safe side, that
# serve to leave a cell out before the system ends the process. Half precision is widened first, three copies more.
_FUSED_COPIES, _COPIES, _WIDENED_COPIES = 0.05, 4.5, 8.0


def estimated_bytes(variant: str, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype) -> float:
    """About what a cell needs: twice parameters and both moments, the gradients, and the temporaries of a step."""
    sizes = [math.prod(shape) for shape in shapes]
    form = variant.rpartition("-")[2]
    copies = _FUSED_COPIES if form == "fused" else _COPIES if dtype.itemsize >= 4 else _WIDENED_COPIES
    worked_on = max(sizes) if form == "loop" else sum(sizes)
    return sum(sizes) * dtype.itemsize * 7 + worked_on * copies * max(4, dtype.itemsize)


def available_bytes(device: torch.device) -> float:
    """Memory that can still be allocated; infinite where the system does not say."""
    return torch.cuda.mem_get_info()[0] if device.type == "cuda" else machine.available_bytes()


def transient_bytes(run: Callable[[], object], device: torch.device) -> dict[str, int]:
    """The most that `run` allocates at a time, beyond what was allocated before.

    Returns:
        "transientBytes", by PyTorch's own account of its allocations. On Linux and a CPU also
        "transientResidentBytes", by how far the process grew: it includes what PyTorch does not know of, and misses
        what found room in memory that was not given back to the system.
    """
    if device.type == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        torch.cuda.synchronize()
        return {"transientBytes": torch.cuda.max_memory_allocated() - before}
    resident = machine.resident_growth(run)
    measured = {"transientBytes": _allocated_peak(run)}
    return measured if resident is None else {**measured, "transientResidentBytes": resident}


def _allocated_peak(run: Callable[[], object]) -> int:
    """From the profiler's list of allocations (positive) and releases (negative)."""
    with (
        _without_native_messages(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile,
    ):
        run()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    allocated = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        allocated += event.nbytes()
        peak = max(peak, allocated)
    return peak


@contextmanager
def _without_native_messages() -> Iterator[None]:
    """The profiler's library writes to the process' stderr when it begins and ends."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
