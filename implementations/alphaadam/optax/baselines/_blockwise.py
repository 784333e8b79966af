"""Blockwise dynamic quantisation to 8 bits."""

import jax
import jax.numpy as jnp

from alphaadam._code_book import CodeBook

__all__ = ["block_count", "dequantized", "quantized"]


def quantized(x: jax.Array, book: CodeBook, block_size: int) -> tuple[jax.Array, jax.Array]:
    """Codes of numbers relative to the largest of their block.

    Args:
        x: Numbers, >= 0 where the book is unsigned.
        book: The code.
        block_size: Elements of a block, in row-major order.

    Returns:
        Codes of the shape of ``x``, uint8; and of each block the largest absolute value.
    """
    blocks = _blocks(x, block_size)
    largest = jnp.max(jnp.abs(blocks), axis=1)
    sizes = jnp.abs(blocks) / jnp.where(largest == 0, 1, largest)[:, None]
    decade = jnp.zeros(sizes.shape, jnp.int32)
    for edge in book.edges:
        decade += sizes > edge
    slopes, offsets, last = (jnp.asarray(part, x.dtype)[decade] for part in (book.slopes, book.offsets, book.last))
    code = jnp.minimum(jnp.floor(sizes * slopes + offsets), last)
    if book.zero:
        code = jnp.maximum(jnp.where(blocks < 0, -code, code) + book.zero, 0)
    return code.astype(jnp.uint8).reshape(-1)[: x.size].reshape(x.shape), largest


def dequantized(codes: jax.Array, largest: jax.Array, book: CodeBook, block_size: int) -> jax.Array:
    """The numbers that codes stand for, in the dtype of ``largest`` and the shape of ``codes``."""
    x = jnp.asarray(book.values, largest.dtype)[codes.astype(jnp.int32)]
    return (_blocks(x, block_size) * largest[:, None]).reshape(-1)[: codes.size].reshape(codes.shape)


def block_count(size: int, block_size: int) -> int:
    """Number of blocks of a tensor."""
    return -(-size // block_size)


def _blocks(x: jax.Array, block_size: int) -> jax.Array:
    """One block in each row, the last one filled up with zeros."""
    return jnp.pad(x.reshape(-1), (0, -x.size % block_size)).reshape(-1, block_size)
