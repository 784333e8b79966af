"""Sharded parameters (DTensor): sums over the whole logical tensor, in one all-reduce for a whole step.

Two rules keep ranks from waiting for one another, or from adding up different tensors: which tensors are added up, and
in which order, follows from the parameter groups, which are the same on every rank, and never from what a rank has in
its shard; and a rank without a share in a tensor takes part with zeros.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

__all__ = ["add_up", "is_dtensor", "is_sharded", "layout", "placed_like", "shard"]


def is_dtensor(tensor: Tensor) -> bool:
    """Whether a tensor is distributed over a mesh of ranks."""
    module = sys.modules.get("torch.distributed.tensor")  # takes half a second to import; without it there is none
    return module is not None and isinstance(tensor, module.DTensor)


def layout(tensor: Tensor) -> Any:
    """Mesh and placements of a DTensor, None for any other tensor."""
    return (tensor.device_mesh, tensor.placements) if is_dtensor(tensor) else None  # type: ignore[attr-defined]


def shard(parameter: Tensor) -> Tensor:
    """The part of a DTensor that this rank holds, as a tensor that shares its memory; any other tensor as it is."""
    if not is_dtensor(parameter):
        return parameter
    part = parameter.to_local()  # type: ignore[attr-defined]
    return part.wait() if hasattr(part, "wait") else part  # the result of a collective that may be under way


def placed_like(gradient: Tensor, parameter: Tensor) -> Tensor:
    """A gradient on its parameter's shards: it may be placed in another way, such as a partial sum over the ranks."""
    wanted = layout(parameter)
    return gradient if layout(gradient) == wanted else gradient.redistribute(*wanted)  # type: ignore[attr-defined]


def is_sharded(parameter: Tensor) -> bool:
    """Whether this rank may hold only a part of the parameter.

    Raises:
        RuntimeError: It is a partial sum, which no optimizer can step.
    """
    if not is_dtensor(parameter):
        return False
    placements = parameter.placements  # type: ignore[attr-defined]
    if any(placement.is_partial() for placement in placements):
        raise RuntimeError(
            f"AlphaAdam: a parameter of shape {tuple(parameter.shape)} is placed as {placements}, a partial sum that "
            "has yet to be reduced. Redistribute it to Shard or Replicate placements before building the optimizer."
        )
    return not all(placement.is_replicate() for placement in placements)


def add_up(parameters: Iterable[Tensor], sums: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    """Sums over all shards of each parameter, from those over the shards of this rank.

    Where shards are replicated along a dimension of the mesh, every copy counts: each shard has as many of them as any
    other, and alpha is a ratio of sums.

    One collective for all parameters on a mesh; where a mesh has several dimensions and is not the whole world, one
    along each of its dimensions.

    Args:
        parameters: Those that any rank may have sums of, in the same order on every rank; plain ones are passed over.
        sums: Of parameters that this rank has stepped: what the mask keeps and drops, two float64 numbers each.

    Returns:
        The same keys, with the sums over all shards. Every rank has the same bits.
    """
    totals = dict(sums)
    members: dict[DeviceMesh, list[Tensor]] = {}
    for parameter in parameters:
        if is_sharded(parameter):
            members.setdefault(parameter.device_mesh, []).append(parameter)  # type: ignore[attr-defined]
    for mesh, sharded in members.items():
        if mesh.get_coordinate() is None:  # other ranks' tensors
            continue
        nothing = torch.zeros(2, dtype=torch.float64, device=_device(mesh, sharded))
        total = torch.stack([sums.get(parameter, nothing).to(nothing.device) for parameter in sharded])
        for group in _groups(mesh):
            dist.all_reduce(total, group=group)
        for parameter, row in zip(sharded, total.unbind(), strict=True):
            if parameter in sums:
                totals[parameter] = row.to(sums[parameter].device)
    return totals


def _device(mesh: "DeviceMesh", parameters: list[Tensor]) -> torch.device:
    """Where the mesh's ranks talk: the parameters' device, unless they are kept on the CPU between the steps."""
    device = shard(parameters[0]).device
    return device if device.type == mesh.device_type else torch.device(mesh.device_type)


def _groups(mesh: "DeviceMesh") -> list[dist.ProcessGroup]:
    if mesh.ndim > 1 and mesh.size() == dist.get_world_size():
        return [dist.group.WORLD]  # type: ignore[list-item]
    return mesh.get_all_groups()
