"""An element of many numbers by its place in their order, without sorting them: XLA sorts slowly."""

import jax
import jax.numpy as jnp

__all__ = ["element_at"]


def element_at(place: int, keys: jax.Array, signed: bool) -> jax.Array:
    """The integer at a place, from 0, of the sorted ``keys``.

    It is found bit by bit, by counting: as many passes as it has bits, each as fast as memory is read.

    Args:
        place: Less than the number of keys.
        keys: Integers, of one dimension.
        signed: Whether some may be negative. If not, the bit of the sign takes no pass.
    """
    integer = keys.dtype
    info = jnp.iinfo(integer)
    highest = info.bits - 1 if signed else info.bits - 2

    def decide_bit(number: jax.Array, key: jax.Array) -> jax.Array:
        # The bit of the sign makes the least integer 0, any other a larger one.
        candidate = key ^ (jnp.ones([], integer) << (highest - number).astype(integer))
        return jnp.where(jnp.sum(keys < candidate, dtype=jnp.int32) <= place, candidate, key)

    return jax.lax.fori_loop(0, highest + 1, decide_bit, jnp.array(info.min if signed else 0, integer))
