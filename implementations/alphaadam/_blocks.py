"""Adam-mini's partition of a tensor into blocks: what a user may write, and what it means for a shape."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

__all__ = ["Partition", "check_blocks", "partition_of"]

_WANTED = (
    "None for one block, (axis, size) for runs of so many indices of an axis, for example (0, 1) for rows, or "
    "(axis, [(length, size), ...]) for parts of an axis with runs of their own"
)


class Partition(NamedTuple):
    """Blocks as runs of indices of one axis, each over all other axes.

    Attributes:
        axis: The axis, >= 0.
        runs: The sequence of (number of runs, size of each) along it.
    """

    axis: int
    runs: tuple[tuple[int, int], ...]

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return sum(number for number, _ in self.runs)


def check_blocks(blocks: Any, owner: str) -> None:
    """Check the form of a partition, whatever tensor it is for.

    Raises:
        TypeError: It has another form.
        ValueError: A length or a size is not positive.
    """
    if blocks is None:
        return
    if not (_is_list(blocks) and len(blocks) == 2 and _is_whole(blocks[0])):
        raise TypeError(f"{owner}: blocks={blocks!r} is not valid. Pass {_WANTED}.")
    parts = blocks[1]
    if _is_list(parts) and parts and all(_is_list(part) and len(part) == 2 for part in parts):
        numbers = [number for part in parts for number in part]
    else:
        numbers = [parts]
    if not all(map(_is_whole, numbers)):
        raise TypeError(f"{owner}: blocks={blocks!r} is not valid. Pass {_WANTED}.")
    if min(numbers) < 1:
        raise ValueError(f"{owner}: blocks={blocks!r} is not valid. Pass lengths and sizes of at least 1.")


def partition_of(blocks: Any, shape: Sequence[int], owner: str, what: str) -> Partition | None:
    """What ``blocks`` means for a shape; None is one block, as for every tensor without dimensions or elements.

    Args:
        blocks: What the user gave.
        shape: Of the tensor.
        owner: The optimizer's name, for messages.
        what: The tensor's name, for messages.

    Raises:
        TypeError: It has another form.
        ValueError: It does not fit the shape.
    """
    check_blocks(blocks, owner)
    if blocks is None or math.prod(shape) == 0 or not shape:
        return None
    axis, parts = blocks
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"{owner}: blocks={blocks!r} for {what} of shape {tuple(shape)}, which has no axis {axis}.")
    length = shape[axis]
    pairs = parts if _is_list(parts) else [(length, parts)]
    if sum(part for part, _ in pairs) != length or any(part % size for part, size in pairs):
        raise ValueError(
            f"{owner}: blocks={blocks!r} for {what} of shape {tuple(shape)}, whose axis {axis} has {length} indices. "
            "Pass lengths that add up to these, each a multiple of its size."
        )
    return Partition(axis % len(shape), tuple((int(part // size), int(size)) for part, size in pairs))


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple | list)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
