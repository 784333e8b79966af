"""What the workers of 1-bit Adam send each other: averages of gradients, and one bit per element of momenta."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Momentum", "Workers", "compress"]


class Momentum(NamedTuple):
    """The momentum of a tensor, and what compressing it leaves; each is changed in place.

    Attributes:
        value: The worker's own momentum before an exchange, the servers' afterwards.
        worker_error: Of the worker, of the same shape.
        server_error: Of the server that this worker is for one chunk, flat; None if it is the only worker.
    """

    value: Tensor
    worker_error: Tensor
    server_error: Tensor | None


class Workers:
    """The processes of a group, each of which is a worker and the server of a chunk of each tensor.

    Args:
        group: A process group; None is the default one, or this process alone where there is none.
    """

    def __init__(self, group: "dist.ProcessGroup | None") -> None:
        distributed = dist.is_available() and (group is not None or dist.is_initialized())
        self._group = group
        self.size = dist.get_world_size(group) if distributed else 1
        self.rank = dist.get_rank(group) if distributed else 0

    def chunk(self, tensor: Tensor) -> slice:
        """The part of a flattened tensor that this process is the server of."""
        size = self._chunk_size(tensor)
        start = min(size * self.rank, tensor.numel())
        return slice(start, min(start + size, tensor.numel()))

    def average(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The averages of tensors over the workers, in one all-reduce for each device and dtype."""
        if self.size == 1:
            return list(tensors)
        averages: dict[int, Tensor] = {}
        for indices in _alike(tensors):
            flat = torch.cat([tensors[i].flatten() for i in indices])
            dist.all_reduce(flat, group=self._group)
            parts = flat.div_(self.size).split([tensors[i].numel() for i in indices])
            averages |= {i: part.view(tensors[i].shape) for i, part in zip(indices, parts, strict=True)}
        return [averages[i] for i in range(len(tensors))]

    def exchange(self, momenta: Sequence[Momentum]) -> None:
        """Compress momenta, average them, and compress the averages, in two collectives for each device and dtype.

        Of a tensor each worker sends each server a bit for every element of its chunk, and a scale; each server sends
        each worker as much.
        """
        if self.size == 1:
            # The server would compress what is +scale or -scale already.
            for each in momenta:
                bits, scale = compress(each.value, each.worker_error)
                each.value.copy_(_decoded(bits, scale))
            return
        for indices in _alike([each.value for each in momenta]):
            self._exchange([momenta[i] for i in indices])

    def _exchange(self, momenta: Sequence[Momentum]) -> None:
        sizes = [self._chunk_size(each.value) for each in momenta]
        bits, scales = zip(*(compress(each.value, each.worker_error) for each in momenta), strict=True)
        chunks = [_in_rows(each.flatten(), self.size, size) for each, size in zip(bits, sizes, strict=True)]
        sent = _message(chunks, torch.stack(scales).expand(self.size, -1))
        received = torch.empty_like(sent)
        dist.all_to_all_single(received, sent, group=self._group)

        own, own_scales = [], []
        parts = _parts(received, sizes, scales[0].dtype)
        for each, size, (bits_of, scale_of) in zip(momenta, sizes, parts, strict=True):
            assert each.server_error is not None
            average = _decoded(bits_of, scale_of).mean(0)[: each.server_error.numel()]
            server_bits, scale = compress(average, each.server_error)
            own.append(_in_rows(server_bits, 1, size))
            own_scales.append(scale)
        sent = _message(own, torch.stack(own_scales).unsqueeze(0))
        gathered = sent.new_empty(self.size, sent.shape[1])
        dist.all_gather(list(gathered.split(1)), sent, group=self._group)

        parts = _parts(gathered, sizes, scales[0].dtype)
        for each, (bits_of, scale_of) in zip(momenta, parts, strict=True):
            whole = _decoded(bits_of, scale_of).flatten()[: each.value.numel()]
            each.value.copy_(whole.view(each.value.shape))

    def _chunk_size(self, tensor: Tensor) -> int:
        return -(-tensor.numel() // self.size)


def compress(value: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Compress ``value + error`` to a bool for each element, true for +, and a scale; the error becomes the new one."""
    error += value
    scale = torch.linalg.vector_norm(error) / max(1, error.numel()) ** 0.5
    bits = error >= 0
    error -= _decoded(bits, scale)
    return bits, scale


def _decoded(bits: Tensor, scale: Tensor) -> Tensor:
    return torch.where(bits, scale, -scale)


def _alike(tensors: Iterable[Tensor]) -> list[list[int]]:
    """The indices of tensors, those of a device and dtype together, in an order that all workers share."""
    groups: dict[Hashable, list[int]] = {}
    for index, tensor in enumerate(tensors):
        groups.setdefault((tensor.device, tensor.dtype), []).append(index)
    return list(groups.values())


def _in_rows(flat: Tensor, rows: int, columns: int) -> Tensor:
    """A flat tensor of bools as a matrix, filled up with false."""
    filled = flat.new_zeros(rows * columns)
    filled[: flat.numel()] = flat
    return filled.view(rows, columns)


def _message(bits: Sequence[Tensor], scales: Tensor) -> Tensor:
    """Rows of bytes: 8 bits to a byte, the first the lowest, each tensor's filled up to bytes; then its scales."""
    return torch.cat([*map(_packed, bits), scales.contiguous().view(torch.uint8)], dim=1)


def _parts(message: Tensor, sizes: Sequence[int], dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """What :func:`_message` was made from: for each tensor its bits by rows, and a column of scales."""
    lengths = [-(-size // 8) for size in sizes]
    *packed, rest = message.split([*lengths, message.shape[1] - sum(lengths)], dim=1)
    scales = rest.contiguous().view(dtype)
    for index, (rows, size) in enumerate(zip(packed, sizes, strict=True)):
        bits = rows.unsqueeze(-1).bitwise_and(_places(rows)).ne(0).flatten(1)
        yield bits[:, :size], scales[:, index : index + 1]


def _packed(bits: Tensor) -> Tensor:
    rows, columns = bits.shape
    filled = torch.nn.functional.pad(bits, (0, -columns % 8)).view(rows, -(-columns // 8), 8)
    return (filled * _places(filled)).sum(-1, dtype=torch.uint8)


def _places(like: Tensor) -> Tensor:
    return torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=like.device)
