"""An element of many numbers by its place in their order, without sorting them: XLA sorts slowly."""

from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["count", "element_at"]


def element_at(place: int, keys: Any, signed: bool) -> Any:
    """The integer at a place, from 0, of the sorted ``keys``.

    It is found bit by bit, by counting: as many passes as it has bits, each as fast as memory is read.

    Args:
        place: Less than the number of keys.
        keys: Integers, of one dimension.
        signed: Whether some may be negative. If not, the bit of the sign takes no pass.
    """
    integer = keras.backend.standardize_dtype(keys.dtype)
    info = np.iinfo(integer)
    highest = info.bits - 1 if signed else info.bits - 2

    def decide_bit(number: Any, key: Any) -> Any:
        # The bit of the sign makes the least integer 0, any other a larger one.
        bit = ops.left_shift(ops.ones((), integer), ops.cast(highest - number, integer))
        candidate = ops.bitwise_xor(key, bit)
        return ops.where(count(keys < candidate) <= place, candidate, key)

    return ops.fori_loop(0, highest + 1, decide_bit, ops.full((), info.min if signed else 0, integer))


def count(condition: Any) -> Any:
    """How many elements are true."""
    return ops.sum(ops.cast(condition, "int32"))
