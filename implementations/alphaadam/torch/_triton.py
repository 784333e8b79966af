"""The fused step on a GPU: tables, scratch memory and launches of the compiled kernels.

Two launches for all tensors of a batch, one where alpha is fixed or every tensor is small, and one more for sharded
tensors. Nothing waits for the device, and a CUDA graph can capture the step: what changes between steps (counters, a
learning rate given as a tensor) is read on the device, everything else is fixed by the capture.
"""

import math
from typing import NamedTuple

import torch
import triton.language as tl
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from alphaadam.torch import _triton_kernels as kernels
from alphaadam.torch._settings import Begun, Settings, StepDiagnostics, Tensors, strengths

__all__ = ["begin", "step"]

_DTYPES = {
    torch.float32: (tl.float32, tl.float32),
    torch.float64: (tl.float64, tl.float64),
    torch.bfloat16: (tl.bfloat16, tl.float32),
    torch.float16: (tl.float16, tl.float32),
}
_MASKINGS = {"async": kernels.ASYNC, "sync": kernels.SYNC, "none": kernels.NONE}
_ALPHAS = {"norm": kernels.NORM, "count": kernels.COUNT}


def step(tensors: Tensors, settings: Settings) -> list[StepDiagnostics] | None:
    """Carry out one step.

    Args:
        tensors: What to update in place: dense, each tensor laid out as its parameter.
        settings: Of the group.

    Returns:
        Diagnostics of each tensor if they are recorded, else None.
    """
    if settings.record:
        sums, finish = begin(tensors, settings)
        return finish(sums)
    launch = _Launch(tensors, settings)
    launch.moments(finish=True)
    if settings.measures:
        launch.update(launch.table.large_chunks, None)
    return None


def begin(tensors: Tensors, settings: Settings) -> Begun:
    """Update the moments of every tensor; finish the step once the sums over all shards are known."""
    launch = _Launch(tensors, settings)
    launch.moments(finish=False)

    def finish(sums: Tensor) -> list[StepDiagnostics] | None:
        launch.update(launch.table.chunks, sums.contiguous())
        if not settings.record:
            return None
        alphas = strengths(sums, settings).unbind()
        return [StepDiagnostics(alpha, mask) for alpha, mask in zip(alphas, launch.masks(), strict=True)]

    return Begun(launch.sums(), finish)


class _Table(NamedTuple):
    """Where the tensors of a batch are, on their device."""

    rows: list[list[int]]  # as the host knows them
    entries: Tensor  # int64 [tensors, COLUMNS]
    tensor_of: Tensor  # int32 [chunks]: the tensor of each chunk
    chunks: Tensor  # int32 [chunks]: all of them
    large_chunks: Tensor  # int32: those of tensors of more than one
    aligned: bool  # whether every tensor begins where 16 bytes can be loaded at once


_tables = WeakTensorKeyDictionary()
"""The last table of each batch, by its first parameter: addresses seldom change from step to step."""
_captured: list[Tensor] = []
"""Host memory from which a CUDA graph copies its table anew whenever it is replayed."""


def _table(tensors: Tensors) -> _Table:
    first = tensors.params[0]
    rows = []
    chunks = 0
    for one in zip(*tensors, strict=True):
        size = one[0].numel()
        rows.append([tensor.data_ptr() for tensor in one] + [size, chunks])
        chunks += -(-size // kernels.CHUNK)
    last = _tables.get(first)
    capturing = first.is_cuda and torch.cuda.is_current_stream_capturing()
    if last is not None and last.rows == rows and not capturing:
        return last
    counts = [-(-row[-2] // kernels.CHUNK) for row in rows]
    tensor_of = [index for index, count in enumerate(counts) for _ in range(count)]
    large = [chunk for chunk, index in enumerate(tensor_of) if counts[index] > 1]
    table = _Table(
        rows,
        _upload(rows, torch.int64, first.device, capturing),
        _upload(tensor_of, torch.int32, first.device, capturing),
        _upload(list(range(len(tensor_of))), torch.int32, first.device, capturing),
        _upload(large, torch.int32, first.device, capturing),
        all(address % 16 == 0 for row in rows for address in row[:4]),
    )
    if not capturing:  # memory of a graph's own pool must not outlive it
        _tables[first] = table
    return table


def _upload(values: list, dtype: torch.dtype, device: torch.device, capturing: bool) -> Tensor:
    host = torch.tensor(values, dtype=dtype, pin_memory=device.type == "cuda")
    if capturing:
        _captured.append(host)
    return host.to(device, non_blocking=True)


class _Launch:
    """What the kernels are given for one step. Scratch: a mask bit for each element, 16 bytes for each chunk."""

    def __init__(self, tensors: Tensors, settings: Settings) -> None:
        self._params = tensors.params
        self._device = tensors.params[0].device
        torch._foreach_add_(list(tensors.steps), 1)
        if settings.found_inf is not None:
            torch._foreach_sub_(list(tensors.steps), [settings.found_inf] * len(tensors.steps))
        self.table = _table(tensors)
        count = len(self.table.tensor_of)
        self._bits = torch.empty(count * kernels.CHUNK // 8, dtype=torch.uint8, device=self._device)
        self._partials = torch.empty(count, 2, dtype=torch.float64, device=self._device)
        stored, compute = _DTYPES[tensors.params[0].dtype]
        lr = settings.lr
        if isinstance(lr, Tensor) and lr.device != self._device:
            lr = lr.item()
        self._common = {
            "found_inf": settings.found_inf,
            "lr_pointer": lr if isinstance(lr, Tensor) else None,
            "lr": 0.0 if isinstance(lr, Tensor) else float(lr),
            "log_beta1": _log(settings.beta1),
            "log_beta2": _log(settings.beta2),
            "eps": float(settings.eps),
            "weight_decay": float(settings.weight_decay),
            "fixed_alpha": settings.fixed_alpha,
            "cap": float(settings.cap) if settings.measures else 1.0,
            "stored": stored,
            "compute": compute,
            "aligned": self.table.aligned,
            "alpha_rule": _ALPHAS[settings.alpha] if settings.measures else kernels.FIXED,  # type: ignore[index]
            "chunk": kernels.CHUNK,
            "block": kernels.BLOCK,
            "num_warps": kernels.WARPS,
        }
        self._settings = settings

    def moments(self, *, finish: bool) -> None:
        """Phase 1."""
        if not len(self.table.tensor_of):
            return
        settings = self._settings
        with torch.cuda.device_of(self._params[0]):
            kernels.moments[(len(self.table.tensor_of),)](
                self.table.entries,
                self.table.tensor_of,
                self._bits,
                self._partials,
                grad_scale=settings.grad_scale,
                beta1=float(settings.beta1),
                beta2=float(settings.beta2),
                masking=_MASKINGS[settings.masking],
                maximize=settings.maximize,
                finish=finish,
                **self._common,
            )

    def update(self, chunks: Tensor, sums: Tensor | None) -> None:
        """Phase 2, on some chunks; from the sums of tensors if they are given, else of chunks."""
        if not len(chunks):
            return
        with torch.cuda.device_of(self._params[0]):
            kernels.update[(len(chunks),)](
                self.table.entries,
                self.table.tensor_of,
                chunks,
                self._bits,
                self._partials,
                sums,
                sums_block=kernels.SUMS_BLOCK,
                **self._common,
            )

    def sums(self) -> Tensor:
        """What each tensor's mask keeps and drops."""
        sums = torch.zeros(len(self._params), 2, dtype=torch.float64, device=self._device)
        if self._settings.measures:
            with torch.cuda.device_of(self._params[0]):
                kernels.add_up[(len(self._params),)](
                    self.table.entries, self._partials, sums, chunk=kernels.CHUNK, sums_block=kernels.SUMS_BLOCK
                )
        return sums

    def masks(self) -> list[Tensor]:
        """The mask of each tensor, from its bits."""
        masks = []
        for parameter, row in zip(self._params, self.table.rows, strict=True):
            size, first = row[-2:]
            at = torch.arange(size, device=self._device)
            bits = (self._bits[first * (kernels.CHUNK // 8) + at // 8] >> (at % 8)) & 1
            mask = torch.empty_like(parameter, dtype=torch.bool)  # as dense, and in the same order, as the parameter
            mask.as_strided((size,), (1,)).copy_(bits)
            masks.append(mask)
        return masks


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0 else -math.inf
