"""The fused step on a CPU: tables, scratch memory and threads for the compiled kernels."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import torch
from torch import Tensor

from alphaadam.torch import _numba_kernels as kernels
from alphaadam.torch._settings import Begun, Settings, StepDiagnostics, Tensors, strengths

__all__ = ["begin", "step"]

#: A scalar of the type of the elements, and 1 in the type of the arithmetic. Numba knows neither half-precision type:
#: their bits travel as integers.
_WITNESSES = {
    torch.float32: (np.float32(0), np.float32(1)),
    torch.float64: (np.float64(0), np.float64(1)),
    torch.bfloat16: (np.uint16(0), np.float32(1)),
    torch.float16: (np.int16(0), np.float32(1)),
}
_RULES = {"async": kernels.ASYNC, "sync": kernels.SYNC, "none": kernels.NONE}
_ALONE = 2**23
"""Elements times threads up to which the calling thread does everything. Others take a fraction of a millisecond to
wake, and get half of their cores while PyTorch's own threads, idle since the backward pass, still spin there: two
threads are no faster than one below some four million elements."""


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
    _Launch(tensors, settings, keep_masks=False).run(kernels.BOTH)
    return None


def begin(tensors: Tensors, settings: Settings) -> Begun:
    """Update the moments of every tensor; finish the step once the sums over all shards are known."""
    launch = _Launch(tensors, settings, keep_masks=True)
    launch.run(kernels.MOMENTS)

    def finish(sums: Tensor) -> list[StepDiagnostics] | None:
        alphas = strengths(sums, settings)
        launch.alphas[:] = alphas.numpy()
        launch.run(kernels.UPDATE)
        if not settings.record:
            return None
        return [StepDiagnostics(alpha, mask) for alpha, mask in zip(alphas.unbind(), launch.masks(), strict=True)]

    return Begun(launch.sums(), finish)


class _Launch:
    """What the kernels are given for one step.

    Scratch memory is torch's, so that its profiler sees it: a mask bit for each element of the largest tensor (of all
    tensors if the masks are kept), and 16 bytes for each chunk.
    """

    def __init__(self, tensors: Tensors, settings: Settings, *, keep_masks: bool) -> None:
        params = tensors.params
        self._params = params
        sizes = np.array([parameter.numel() for parameter in params], np.int64)
        chunks = -(-sizes // kernels.CHUNK)
        threads = torch.get_num_threads()
        self._threads = 1 if sizes.sum() * threads <= _ALONE else threads
        self._first_partials = np.concatenate([[0], np.cumsum(chunks)])

        table = np.empty((len(params), kernels.COLUMNS), np.int64)
        for column, addressed in (
            (kernels.PARAM, params),
            (kernels.GRAD, tensors.grads),
            (kernels.EXP_AVG, tensors.exp_avgs),
            (kernels.EXP_AVG_SQ, tensors.exp_avg_sqs),
        ):
            table[:, column] = [tensor.data_ptr() for tensor in addressed]
        table[:, kernels.SIZE] = sizes
        table[:, kernels.FIRST_PARTIAL] = self._first_partials[:-1]
        table[:, kernels.MASK] = self._first_partials[:-1] * (kernels.CHUNK // 8)
        alone = np.where(sizes <= kernels.WHOLE, sizes, 0).cumsum()
        table[:, kernels.OWNER] = np.minimum(alone * self._threads // max(int(alone[-1]), 1), self._threads - 1)
        self._table = table

        if keep_masks:
            mask_chunks = int(self._first_partials[-1])
        else:
            small = np.where(sizes <= kernels.WHOLE, chunks, 0).max()
            mask_chunks = self._threads * max(-(-int(chunks.max()) // self._threads), int(small))
        self._masks = torch.empty(mask_chunks * kernels.CHUNK // 8, dtype=torch.uint8).numpy()
        self._partials = torch.empty(int(self._first_partials[-1]), 2, dtype=torch.float64).numpy()

        beta1, beta2 = settings.beta1, settings.beta2
        self._factors = np.empty((len(params), kernels.FACTORS))
        lr = float(settings.lr)
        kernels.advance(
            np.array([count.data_ptr() for count in tensors.steps], np.int64),
            (beta1, beta2),
            lr,
            float(settings.eps),
            self._factors,
        )
        # As GradScaler.unscale_ has it: the reciprocal is rounded to float32, and is exact for powers of two.
        scale = 1.0 if settings.grad_scale is None else float(np.float32(1 / settings.grad_scale.item()))
        self._hyperparameters = (
            _RULES[settings.masking],
            -1.0 if settings.maximize else 1.0,
            scale,
            1.0 - beta1,
            float(beta2),
            1.0 - beta2,
            1.0 - lr * settings.weight_decay,
            settings.measures,
            settings.measures and settings.alpha == "count",
            settings.cap if settings.measures else 1.0,
        )
        self.alphas = np.full(len(params), settings.fixed_alpha)

    def run(self, phases: int) -> None:
        """Carry out one phase or both, in all threads."""
        progress = np.zeros((self._threads, 8), np.int64)
        like, one = _WITNESSES[self._params[0].dtype]

        def work(thread: int) -> None:
            kernels.run(
                thread,
                self._threads,
                phases,
                self._table,
                self._factors,
                self._hyperparameters,
                like,
                one,
                self._partials,
                self.alphas,
                self._masks,
                progress,
            )

        _in_threads(self._threads, work)

    def sums(self) -> Tensor:
        """What each tensor's mask keeps and drops."""
        sums = np.empty((len(self._params), 2))
        kernels.add_up(self._partials, self._first_partials, sums)
        return torch.from_numpy(sums)

    def masks(self) -> list[Tensor]:
        """The mask of each tensor, from its bits."""
        masks = []
        for parameter, first in zip(self._params, self._first_partials[:-1] * (kernels.CHUNK // 8), strict=True):
            size = parameter.numel()
            bits = np.unpackbits(self._masks[first : first + -(-size // 8)], count=size, bitorder="little")
            mask = torch.empty_like(parameter, dtype=torch.bool)  # as dense, and in the same order, as the parameter
            mask.as_strided((size,), (1,)).copy_(torch.from_numpy(bits))
            masks.append(mask)
        return masks


# Threads of one launch wait for one another, so that all of them must run: one launch at a time, with a pool of its own
# threads. PyTorch's are not to be had from Python, and Numba's own end a process that was forked.
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _in_threads(count: int, work: Callable[[int], None]) -> None:
    """Call ``work`` with 0 … count - 1 at the same time; this thread takes 0."""
    global _pool, _pool_size
    if count == 1:
        work(0)
        return
    with _lock:
        if _pool is None or _pool_size < count - 1:
            if _pool is not None:
                _pool.shutdown()
            _pool, _pool_size = ThreadPoolExecutor(count - 1, thread_name_prefix="alphaadam"), count - 1
        others = [_pool.submit(work, thread) for thread in range(1, count)]
        work(0)
        wait(others)
    for other in others:
        other.result()


def _forget_pool() -> None:
    """A forked child has none of its parent's threads."""
    global _lock, _pool, _pool_size
    _lock, _pool, _pool_size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
