"""Sharded parameters (DTensor): sums over the whole logical tensor, in one all-reduce for a whole step."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

__all__ = ["add_up", "is_sharded", "local"]


def local(tensor: Tensor) -> Tensor:
    """The shard of a DTensor that this rank holds, as a tensor that shares its memory; any other tensor as it is."""
    return tensor.to_local() if _is_dtensor(tensor) else tensor  # type: ignore[attr-defined]


def is_sharded(tensor: Tensor) -> bool:
    """Whether this rank may hold only a part of the tensor.

    Raises:
        RuntimeError: The tensor is a partial sum, which no optimizer can step.
    """
    if not _is_dtensor(tensor):
        return False
    placements = tensor.placements  # type: ignore[attr-defined]
    if any(placement.is_partial() for placement in placements):
        raise RuntimeError(
            f"AlphaAdam: a parameter of shape {tuple(tensor.shape)} is placed as {placements}, a partial sum that has "
            "yet to be reduced. Redistribute it to Shard or Replicate placements before training."
        )
    return not all(placement.is_replicate() for placement in placements)


def add_up(batches: Sequence[Sequence[Tensor]], sums: Sequence[Tensor]) -> list[Tensor]:
    """Sums over all shards of each parameter, from those over the shards of this rank.

    One collective for all parameters on a mesh; where a mesh is neither a line nor the whole world, one along each of
    its dimensions. Every rank receives the same bits.

    Args:
        batches: Parameters, sharded or not, in the same order on every rank.
        sums: Of each batch, shape ``[parameters, k]``.

    Returns:
        New tensors in place of ``sums``.
    """
    whole = torch.cat([part.to(sums[0].device) for part in sums])
    rows_of: dict[DeviceMesh, list[int]] = {}
    params = [parameter for batch in batches for parameter in batch]
    for row, parameter in enumerate(params):
        if is_sharded(parameter):
            rows_of.setdefault(parameter.device_mesh, []).append(row)  # type: ignore[attr-defined]
    for mesh, rows in rows_of.items():
        # Where a tensor is replicated along a dimension of the mesh, only the first of its copies counts.
        part = torch.stack([whole[row] if _is_first_copy(params[row]) else torch.zeros_like(whole[row]) for row in rows])
        for group in _groups(mesh):
            dist.all_reduce(part, group=group)
        whole[torch.tensor(rows, device=whole.device)] = part
    return [part.to(old.device) for part, old in zip(whole.split([len(old) for old in sums]), sums, strict=True)]


def _is_dtensor(tensor: Tensor) -> bool:
    module = sys.modules.get("torch.distributed.tensor")  # takes half a second to import; without it there is none
    return module is not None and isinstance(tensor, module.DTensor)


def _is_first_copy(tensor: Tensor) -> bool:
    coordinate = tensor.device_mesh.get_coordinate()  # type: ignore[attr-defined]
    placements = tensor.placements  # type: ignore[attr-defined]
    return all(at == 0 for at, placement in zip(coordinate, placements, strict=True) if placement.is_replicate())


def _groups(mesh: "DeviceMesh") -> list[dist.ProcessGroup]:
    if mesh.ndim > 1 and mesh.size() == dist.get_world_size():
        return [dist.group.WORLD]  # type: ignore[list-item]
    return mesh.get_all_groups()
