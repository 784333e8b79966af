"""Where a trial computes in JAX: on one device, or on all of a kind, with parameters and optimizer state in shards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bench.tasks.execution import Execution

AXIS = "devices"


class Placement:
    """Where arrays lie.

    With ``parallel="sharded"`` each device computes on its part of a batch and keeps its part of every parameter and of
    what the optimizer keeps for it: the longest axis that can be cut evenly is cut. A step gathers whole parameters and
    gives each device its shard of the gradients.

    Args:
        execution: What is asked for.
        batch_size: Sequences in a batch.

    Raises:
        RuntimeError: The device is not there.
        ValueError: JAX has no such way to use several devices, or the batch cannot be cut evenly.
    """

    def __init__(self, execution: Execution, batch_size: int) -> None:
        devices = devices_for(execution, batch_size)
        self._device = devices[0]
        self._mesh = Mesh(np.array(devices), (AXIS,)) if execution.parallel == "sharded" else None

    def put(self, tree: Any) -> Any:
        """Parameters or an optimizer's state, copied to where they belong."""
        return jax.device_put(tree, self.shardings(tree), may_alias=False)

    def batch(self, tokens: npt.NDArray[np.int32]) -> Any:
        """Tokens (batch, length), each device's sequences on it."""
        return tokens if self._mesh is None else jax.device_put(tokens, NamedSharding(self._mesh, PartitionSpec(AXIS)))

    def shardings(self, tree: Any) -> Any:
        """Where each array of a pytree belongs."""
        return jax.tree.map(self._sharding, tree)

    def results(self, *trees: Any) -> Any:
        """For ``out_shardings``: pytrees where they belong, then something that may lie anywhere."""
        return None if self._mesh is None else (*map(self.shardings, trees), None)

    def whole(self, tree: Any) -> Any:
        """In a traced function: every array on every device."""
        if self._mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self._mesh, PartitionSpec()))

    def in_shards(self, tree: Any) -> Any:
        """In a traced function: every array where it belongs."""
        return tree if self._mesh is None else jax.lax.with_sharding_constraint(tree, self.shardings(tree))

    def _sharding(self, array: Any) -> Any:
        if self._mesh is None:
            return self._device
        cut = [(size, axis) for axis, size in enumerate(array.shape) if size and size % self._mesh.size == 0]
        spec: list[str | None] = [None] * array.ndim
        if cut:
            spec[max(cut)[1]] = AXIS
        return NamedSharding(self._mesh, PartitionSpec(*spec))


def devices_of_kind(kind: str) -> list[jax.Device]:
    """All devices of a kind.

    Raises:
        RuntimeError: There is none; the message lists what there is.
    """
    try:
        return jax.devices(kind)
    except RuntimeError as error:
        found = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise RuntimeError(
            f"device {kind!r}: JAX {jax.__version__} finds none here, only: {found}. Choose another device, or, on a"
            " machine with an NVIDIA GPU, install JAX for it: `python -m pip install 'jax[cuda13]'`"
        ) from error


def exact_products(device: str, precision: str) -> AbstractContextManager[Any]:
    """Where a task's precision is float32, what is traced under it multiplies float32 matrices as such.

    JAX' default on NVIDIA GPUs rounds the factors to TensorFloat-32, which has three digits; PyTorch's does not.
    """
    wanted = device != "cpu" and precision == "float32"
    return jax.default_matmul_precision("highest") if wanted else nullcontext()


def devices_for(execution: Execution, batch_size: int) -> list[jax.Device]:
    """The devices that share a step: all of a kind if it is sharded, else one.

    Raises:
        RuntimeError: The device is not there.
        ValueError: JAX has no such way to use several devices, or the batch cannot be cut evenly.
    """
    check_parallel(execution.parallel)
    found = devices_of_kind(execution.device)
    used = found if execution.parallel == "sharded" else found[:1]
    check_parts(batch_size, execution.micro_batches, len(used))
    return used


def check_parallel(parallel: str) -> None:
    """Refuses ways to use several devices that are PyTorch's.

    Raises:
        ValueError: JAX and Keras have not this one.
    """
    if parallel not in ("none", "sharded"):
        raise ValueError(
            f"parallel={parallel!r} is not possible in JAX and Keras; choose 'sharded' or 'none', or the framework"
            " torch, started by torchrun"
        )


def check_parts(batch_size: int, parts: int, devices: int) -> None:
    """Refuses a batch that cannot be cut evenly.

    Raises:
        ValueError: It cannot.
    """
    if parts < 1 or batch_size % (parts * devices):
        raise ValueError(
            f"a batch of {batch_size} sequences cannot be cut into micro_batches={parts} equal parts for {devices}"
            f" device(s); choose micro_batches so that micro_batches × {devices} divides {batch_size}"
        )


def mean_over_parts(function: Callable[[Any], Any], parts: int, tokens: jax.Array) -> Any:
    """The mean of what `function` makes of each part of a batch, one part after the other.

    Args:
        function: Makes a pytree of arrays of tokens.
        parts: Number of parts, which divides the number of sequences.
        tokens: Tokens (batch, length). A part is every `parts`-th sequence, so that where sequences lie on several
            devices each of them has as many of every part.
    """
    if parts == 1:
        return function(tokens)
    cut = tokens.reshape(-1, parts, tokens.shape[-1]).swapaxes(0, 1)

    def add(total: Any, part: jax.Array) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(part)), None

    nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, cut[0]))
    total, _ = jax.lax.scan(add, nothing, cut)
    return jax.tree.map(lambda sum_of_parts: sum_of_parts / parts, total)
