"""A training step shared by several processes, which ``torchrun`` starts: DDP and FSDP2."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from bench.tasks.execution import Execution


def device_of(execution: Execution) -> torch.device:
    """The device of this process.

    Raises:
        RuntimeError: There is no such device here.
    """
    if execution.device != "cuda":
        return torch.device(execution.device)
    local = int(os.environ.get("LOCAL_RANK", "0")) if execution.parallel != "none" else 0
    if not torch.cuda.is_available():
        raise RuntimeError(
            f"this machine, or this build of PyTorch ({torch.__version__}), has no CUDA device; use the device cpu"
        )
    if local >= torch.cuda.device_count():
        raise RuntimeError(
            f"process {local} of this machine has no CUDA device of its own: there are {torch.cuda.device_count()};"
            " start as many processes with --nproc-per-node"
        )
    return torch.device("cuda", local)


def begin(execution: Execution, device: torch.device) -> tuple[int, int]:
    """Joins the other processes, once in a process.

    Args:
        execution: How several devices share a step.
        device: What `device_of` returned.

    Returns:
        This process' rank and the number of processes.

    Raises:
        ValueError: PyTorch does not share a step in this way.
        RuntimeError: ``torchrun`` did not start this process, or started several although they share nothing.
    """
    if execution.parallel not in ("none", "ddp", "fsdp"):
        raise ValueError(f"parallel {execution.parallel!r} is not PyTorch's; choose one of: none, ddp, fsdp")
    if execution.parallel == "none":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise RuntimeError(
                "torchrun started several processes, and each would train alone; choose --parallel ddp or fsdp"
            )
        return 0, 1
    if not dist.is_initialized():
        if "RANK" not in os.environ:
            raise RuntimeError(
                f"parallel {execution.parallel!r} needs processes that torchrun starts:"
                f" `torchrun --nproc-per-node 2 -m bench run --parallel {execution.parallel} …`"
            )
        if device.type == "cuda":
            torch.cuda.set_device(device)
            dist.init_process_group("nccl", device_id=device)
        else:
            dist.init_process_group("gloo")
        atexit.register(_end)
    return dist.get_rank(), dist.get_world_size()


def _end() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def share(module: nn.Module, products: Iterable[nn.Module], execution: Execution, reduced: bool) -> nn.Module:
    """Makes every process hold the module, or its part of each parameter.

    Args:
        module: The module, the same in every process, on its device.
        products: Its parts that compute matrix products: FSDP gathers the parameters of each together.
        execution: How the step is shared.
        reduced: Whether the products are in bfloat16. FSDP then gathers their parameters in bfloat16, which halves what
            the processes send and is what autocast would make of them; gradients are added up in float32.

    Returns:
        The module to call.
    """
    if execution.parallel == "ddp":
        return DistributedDataParallel(module, gradient_as_bucket_view=True)
    if execution.parallel == "fsdp":
        # Inputs keep their type: the residual stream and the layer norms are in float32.
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if reduced else None, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        # PyTorch warns that parts return views: operations on them in place would lose a hook. The model has none.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
        for part in products:
            fully_shard(part, mp_policy=policy)
        fully_shard(module, mp_policy=MixedPrecisionPolicy(cast_forward_inputs=False))
    return module


def backward(module: nn.Module, losses: Iterable[Callable[[], Tensor]], parts: int) -> Tensor:
    """Adds the gradients of several parts of a batch up; the processes average theirs once, after the last part.

    Args:
        module: What `share` returned.
        losses: Compute the loss of each part, in turn.
        parts: How many there are.

    Returns:
        The mean of the losses.
    """
    total: Tensor | None = None
    for number, compute in enumerate(losses, 1):
        last = number == parts
        if isinstance(module, FSDPModule):
            module.set_requires_gradient_sync(last)
        alone = module.no_sync() if isinstance(module, DistributedDataParallel) and not last else nullcontext()
        with alone:
            loss = compute() / parts if parts > 1 else compute()
            loss.backward()
        total = loss.detach() if total is None else total + loss.detach()
    assert total is not None
    return total


def mean(value: Tensor) -> Tensor:
    """The mean over the processes, so that every one of them goes on from the same number."""
    if dist.is_initialized():
        dist.all_reduce(value)
        value /= dist.get_world_size()
    return value


def whole(tensor: Tensor) -> Tensor:
    """A tensor, from its shards where it is sharded: then every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
