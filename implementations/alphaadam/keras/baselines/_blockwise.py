"""Blockwise dynamic quantisation to 8 bits."""

import math
from typing import Any

from keras import ops

from alphaadam._code_book import CodeBook

__all__ = ["block_count", "dequantized", "quantized"]


def quantized(x: Any, book: CodeBook, block_size: int) -> tuple[Any, Any]:
    """Codes of numbers relative to the largest of their block.

    Args:
        x: Numbers, >= 0 where the book is unsigned.
        book: The code.
        block_size: Elements of a block, in row-major order.

    Returns:
        Codes of the shape of ``x``, uint8; and of each block the largest absolute value.
    """
    blocks = _blocks(x, block_size)
    largest = ops.max(ops.abs(blocks), axis=1)
    sizes = ops.abs(blocks) / ops.expand_dims(ops.where(largest == 0, ops.ones_like(largest), largest), 1)
    decade = ops.zeros_like(sizes, dtype="int32")
    for edge in book.edges:
        decade = decade + ops.cast(sizes > edge, "int32")
    slopes, offsets, last = (_looked_up(part, decade, x.dtype) for part in (book.slopes, book.offsets, book.last))
    code = ops.floor(sizes * slopes + offsets)
    code = ops.where(code > last, last, code)  # not ops.minimum, which returns float32 for float64 on PyTorch
    if book.zero:
        code = ops.where(blocks < 0, -code, code) + book.zero
        code = ops.where(code < 0, ops.zeros_like(code), code)
    return ops.cast(_unblocked(code, x.shape), "uint8"), largest


def dequantized(codes: Any, largest: Any, book: CodeBook, block_size: int) -> Any:
    """The numbers that codes stand for, in the dtype of ``largest`` and the shape of ``codes``."""
    x = _looked_up(book.values, ops.cast(codes, "int32"), largest.dtype)
    return _unblocked(_blocks(x, block_size) * ops.expand_dims(largest, 1), codes.shape)


def block_count(size: int, block_size: int) -> int:
    """Number of blocks of a tensor."""
    return -(-size // block_size)


def _blocks(x: Any, block_size: int) -> Any:
    """One block in each row, the last one filled up with zeros."""
    missing = -math.prod(x.shape) % block_size
    flat = ops.reshape(x, (-1,))
    return ops.reshape(ops.pad(flat, [[0, missing]]) if missing else flat, (-1, block_size))


def _unblocked(blocks: Any, shape: Any) -> Any:
    return ops.reshape(ops.reshape(blocks, (-1,))[: math.prod(shape)], tuple(shape))


def _looked_up(numbers: tuple[float, ...], index: Any, dtype: Any) -> Any:
    return ops.take(ops.convert_to_tensor(numbers, dtype=dtype), index)
