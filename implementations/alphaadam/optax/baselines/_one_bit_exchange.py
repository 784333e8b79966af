"""What the workers of 1-bit Adam, the devices of a mesh axis, send each other: one bit per element of a momentum."""

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["chunk_size", "compress", "exchange"]


def chunk_size(elements: int, axis_name: Any) -> int:
    """How many elements of a flattened leaf each device is the server of; the last devices have fewer, or none."""
    return -(-elements // jax.lax.axis_size(axis_name))


def compress(value: jax.Array, count: Any = None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Compress an array to a bool for each element, true for +, and a scale; the third is the error of that.

    Args:
        value: What is to be sent, the error of the last time included.
        count: How many elements of a flat array there are, those after them being 0; None is all.
    """
    scale = jnp.sqrt(jnp.sum(jnp.square(value)) / jnp.maximum(value.size if count is None else count, 1))
    bits = value >= 0
    error = value - jnp.where(bits, scale, -scale)
    return bits, scale, error if count is None else jnp.where(jnp.arange(value.size) < count, error, 0)


def exchange(
    momentum: jax.Array, worker_error: jax.Array, server_error: jax.Array, axis_name: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Compress momenta, average them over the devices of an axis, and compress the averages.

    Each worker sends each server a bit for every element of its chunk, and a scale; each server sends each worker as
    much. That is two collectives of bytes.

    Args:
        momentum: The worker's own, not empty.
        worker_error: Flat.
        server_error: Flat, of :func:`chunk_size` elements.
        axis_name: Of the axis.

    Returns:
        The momentum that all workers go on with, and the new errors.
    """
    workers, size, dtype = jax.lax.axis_size(axis_name), server_error.size, momentum.dtype
    bits, scale, worker_error = compress(jnp.ravel(momentum) + worker_error)
    chunks = jnp.pad(bits, (0, workers * size - bits.size)).reshape(workers, size)
    sent = _message(chunks, jnp.broadcast_to(scale, workers))
    received = jax.lax.all_to_all(sent, axis_name, 0, 0, tiled=True)

    count = jnp.clip(momentum.size - jax.lax.axis_index(axis_name) * size, 0, size)
    average = jnp.where(jnp.arange(size) < count, jnp.mean(_decoded(received, size, dtype), axis=0), 0)
    bits, scale, server_error = compress(average + server_error, count)
    sent = _message(bits[None], scale[None])
    gathered = jax.lax.all_gather(sent, axis_name, tiled=True, to="invarying")

    whole = jnp.ravel(_decoded(gathered, size, dtype))[: momentum.size]
    return whole.reshape(momentum.shape), worker_error, server_error


def _message(bits: jax.Array, scales: jax.Array) -> jax.Array:
    """Rows of bytes: 8 bits to a byte, the first the lowest, filled up to bytes; then the scale of the row."""
    packed = jnp.packbits(bits, axis=1, bitorder="little")
    return jnp.concatenate([packed, jax.lax.bitcast_convert_type(scales, jnp.uint8)], axis=1)


def _decoded(message: jax.Array, size: int, dtype: Any) -> jax.Array:
    length = -(-size // 8)
    bits = jnp.unpackbits(message[:, :length], axis=1, count=size, bitorder="little")
    scales = jax.lax.bitcast_convert_type(message[:, length:], dtype)[:, None]
    return jnp.where(bits != 0, scales, -scales)
