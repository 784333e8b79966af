"""The rule for TensorFlow on CPUs: one function that XLA compiles, in the order that XLA compiles best.

It is compiled whether or not the training step around it is. Eagerly and in a graph the same operations take three
times as long, each of them passing over memory by itself; a compiled step takes the function in as if it were not one.

What XLA makes of `alphaadam.keras._rule` on a CPU is copies of the moments, roots and quotients stored for a second
kernel, and sums by one thread over squares that were stored before. Here the mask is kept as one bit per element,
decided before the moment is overwritten, and the squares that it keeps and drops are summed as one complex number, in
groups of eight: each is one threaded and vectorised kernel.
"""

import functools
import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import Hyperparameters, Updated, compute_dtype

_GROUP = 8
"""Elements of a group: as many as a byte has bits, and few enough for a loop that is unrolled."""

_LANES = 32
"""Groups side by side, so that 8 * 32 elements are read in sequence."""


def suits(variable: Any) -> bool:
    """Whether this is a variable for which the function is made: on a CPU, with elements."""
    value = _value(variable)
    return "CPU" in (value.device or "") and math.prod(value.shape) > 0


def update_tensor(
    variable: Any,
    gradient: Any,
    momentum: Any,
    velocity: Any,
    step: Any,
    learning_rate: Any,
    weight_decay: float,
    rule: Hyperparameters,
) -> Updated:
    """Compute one step of one variable that `suits`; arguments and result are those of ``_rule.update_tensor``."""
    dtype = compute_dtype(variable)
    arrays = [tf.convert_to_tensor(_value(array)) for array in (variable, gradient, momentum, velocity)]
    scalars = [tf.cast(_value(scalar), dtype) for scalar in (step, learning_rate)]
    alpha = rule.alpha if isinstance(rule.alpha, str) else "number"
    return Updated(*_step(*arrays, *scalars, _numbers(rule, weight_decay, dtype), rule.masking, alpha))


def _value(x: Any) -> Any:
    """TensorFlow's variable in a variable of Keras."""
    return x.value if isinstance(x, keras.Variable) else x


class _Numbers(NamedTuple):
    """The constants of a step, as the rows of an array: for Python's numbers the function would be traced again."""

    beta_1: Any
    rest_1: Any
    log_1: Any
    beta_2: Any
    rest_2: Any
    log_2: Any
    epsilon: Any
    weight_decay: Any
    alpha: Any


@functools.lru_cache(maxsize=64)
def _numbers(rule: Hyperparameters, weight_decay: float, dtype: str) -> np.ndarray:
    alpha = checks.alpha_cap(rule.alpha, rule.alpha_max) if isinstance(rule.alpha, str) else rule.alpha
    moments = [number for beta in (rule.beta_1, rule.beta_2) for number in (beta, 1 - beta, _log(beta))]
    return np.array([*moments, rule.epsilon, weight_decay, alpha], dtype)


def _log(beta: float) -> float:
    return math.log(beta) if beta > 0 else -math.inf


@tf.function(jit_compile=True, autograph=False)
def _step(theta, g, old_m, old_v, step, lr, numbers, masking, alpha):  # type: ignore[no-untyped-def]
    numbers = _Numbers(*tf.unstack(numbers, len(_Numbers._fields)))
    correction_1, correction_2 = (-tf.math.expm1(step * log) for log in (numbers.log_1, numbers.log_2))
    dtype = lr.dtype
    shape = theta.shape
    g = tf.cast(g, dtype)
    new_m = tf.cast(numbers.beta_1 * tf.cast(old_m, dtype) + numbers.rest_1 * g, old_m.dtype)
    new_v = tf.cast(numbers.beta_2 * tf.cast(old_v, dtype) + numbers.rest_2 * tf.square(g), old_v.dtype)
    if masking == "async":
        old = tf.cast(old_m, dtype)
        selected = _unpack(_pack((old == 0) | _agree(old, g)), shape)
        # Never: but XLA does not know, and so decides the mask before it overwrites the moment.
        new_m = tf.where(selected > 1, tf.zeros([], new_m.dtype), new_m)
    # What follows sees the moments as they are stored.
    m, v = tf.cast(new_m, dtype), tf.cast(new_v, dtype)
    if masking == "sync":
        selected = tf.cast(_agree(m, g), tf.uint8)
    elif masking == "none":
        selected = tf.ones(shape, tf.uint8)
    strength = _strength(m, v, selected, correction_2, numbers, masking, alpha)
    u = (m / correction_1) / (tf.sqrt(v / correction_2) + numbers.epsilon)
    # XLA does not know that these numbers are 0 or 1: this is a product, and a NaN stays loud.
    masked_u = u if masking == "none" else u * tf.cast(selected, dtype)
    new_theta = tf.cast(theta, dtype) * (1 - lr * numbers.weight_decay) - lr * strength * masked_u
    return tf.cast(new_theta, theta.dtype), new_m, new_v, strength, selected == 1


def _strength(m, v, selected, correction_2, numbers, masking, alpha):  # type: ignore[no-untyped-def]
    """Alpha as a scalar."""
    one = tf.ones([], m.dtype)
    if alpha == "number":
        return numbers.alpha
    if masking == "none":
        return one
    kept_here = selected == 1
    if alpha == "count":
        # Counted in integers: float32 cannot count past 2^24.
        kept = tf.reduce_sum(_reduce_groups(tf.cast(kept_here, tf.int32)))
        ratio = math.prod(m.shape) / tf.cast(kept, m.dtype)
    else:
        # Proportional to u, which is all that a ratio of norms needs, and no root that the update needs, too.
        like_u = m / (tf.sqrt(v) + numbers.epsilon * tf.sqrt(correction_2))
        squares, zeros = like_u * like_u, tf.zeros_like(m)
        sums = _reduce_groups(tf.complex(tf.where(kept_here, squares, zeros), tf.where(kept_here, zeros, squares)))
        kept, dropped = tf.reduce_sum(tf.math.real(sums)), tf.reduce_sum(tf.math.imag(sums))
        ratio = tf.where(kept + dropped == 0, one, tf.sqrt(1 + dropped / kept))
    return tf.where(ratio > numbers.alpha, numbers.alpha, ratio)  # a NaN is above no cap and stays


def _agree(a, b):  # type: ignore[no-untyped-def]
    """Whether both have a sign, and the same."""
    return ((a > 0) & (b > 0)) | ((a < 0) & (b < 0))


def _pack(mask):  # type: ignore[no-untyped-def]
    """A mask as one byte for each group."""
    grouped = _group(tf.cast(mask, tf.uint8))
    return tf.reduce_sum(tf.bitwise.left_shift(grouped, _places(grouped.shape)), axis=-2)


def _unpack(bits, shape):  # type: ignore[no-untyped-def]
    """The mask as numbers 0 and 1, of the tensor's shape."""
    *outer, last = tuple(shape) or (1,)
    grouped = _grouped_shape(shape)
    shifted = tf.bitwise.right_shift(tf.broadcast_to(bits[..., tf.newaxis, :], grouped), _places(grouped))
    selected = tf.bitwise.bitwise_and(shifted, tf.ones([], tf.uint8))
    return tf.reshape(tf.reshape(selected, (*outer, -1))[..., :last], shape)


def _places(grouped):  # type: ignore[no-untyped-def]
    """Which bit of its group's byte each element is."""
    return tf.broadcast_to(tf.reshape(tf.constant(list(range(_GROUP)), tf.uint8), (_GROUP, 1)), grouped)


def _reduce_groups(x):  # type: ignore[no-untyped-def]
    return tf.reduce_sum(_group(x), axis=-2)


def _group(x):  # type: ignore[no-untyped-def]
    *outer, last = tuple(x.shape) or (1,)
    grouped = _grouped_shape(x.shape)
    padding = math.prod(grouped) // math.prod(outer) - last
    return tf.reshape(tf.pad(tf.reshape(x, (*outer, last)), [(0, 0)] * len(outer) + [(0, padding)]), grouped)


def _grouped_shape(shape):  # type: ignore[no-untyped-def]
    """The shape (..., groups, _GROUP, lanes) that holds a tensor, its last axis padded where nothing divides it."""
    *outer, last = tuple(shape) or (1,)
    if last % (_GROUP * _LANES) == 0:
        return (*outer, last // (_GROUP * _LANES), _GROUP, _LANES)
    if outer and outer[-1] % _GROUP == 0:
        return (*outer[:-1], outer[-1] // _GROUP, _GROUP, last)
    return (*outer, 1, _GROUP, -(-last // _GROUP))
