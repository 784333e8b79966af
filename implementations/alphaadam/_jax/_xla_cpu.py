"""The rule in the order that XLA for CPUs compiles best: the same moments, the same mask, alpha up to rounding.

What the optimised HLO of `alphaadam._jax._rule` shows on a CPU:

- XLA makes a kernel for each output. AdamW's step is three: m (12 bytes per element), v (12), and the parameter (16).
- The mask reads the old moment after its donated buffer was taken for the new one, so XLA copies every moment first.
  ``optimization_barrier`` is no remedy: XLA for CPUs drops it before it decides about kernels and copies.
- A root or quotient that two kernels need is stored by the first. That and the copy are as much memory as the
  parameters twice over, new to the process at each step: page faults cost more than the traffic.
- A sum over a whole tensor is the work of one thread, element by element, on squares that are stored before.

Hence two passes. The first reads g, m and v, and reduces groups of eight elements: one threaded and vectorised kernel
for the squares that the mask keeps, those that it drops, and the mask as one bit per element. The second writes the
moments in place and reads them again for the update. What both need is computed twice, by formulas that XLA does not
recognise as the same, and the second depends on a result of the first, so that XLA knows their order and copies
nothing. That is 52 bytes per element and some for the sums, where AdamW takes 40. ``python -m bench speed`` measures
the time and counts kernels, copies and bytes; a test looks for copies, too.

XLA may join a product and a sum in one pass and not in the other. A moment that is measured can then be an ulp of the
compute dtype from the one that is stored, and where that is bfloat16, now and then the next bfloat16.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from alphaadam._jax._rule import (
    bias_correction,
    compute_dtype,
    decide_mask,
    direction,
    moments,
    ratio_of_counts,
    ratio_of_norms,
)

_LANES = 32
"""Groups side by side: a thread reads what these hold in sequence. 16 to 64 were as good, more cost a third more."""


def suits(g: Any, m: Any, v: Any, masking: str) -> bool:
    """Whether a step of this tensor is better arranged so."""
    # Eagerly every operation is a kernel of its own, and here there are more of them.
    compiled = isinstance(g, jax.core.Tracer) and jax.default_backend() == "cpu"
    return compiled and g.size > 0 and masking != "none" and not any(map(_explicitly_sharded, (g, m, v)))


def _explicitly_sharded(x: Any) -> bool:
    """Whether the sharding is a part of the type, as on a mesh of ``AxisType.Explicit``: groups would cut it."""
    return any(axis is not None for axis in jax.typeof(x).sharding.spec)


def update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """Return (alpha * A * u, m, v, alpha, A) of one tensor that `suits`; the first in the compute dtype."""
    dtype = compute_dtype(g)
    # The loop over a group must be short enough to be unrolled, or it is not vectorised. Rounding takes instructions.
    size = 8 if g.dtype == m.dtype == v.dtype == dtype else 4
    gradient = g.astype(dtype)

    new_m, new_v = (moment.astype(dtype) for moment in moments(gradient, m, v, b1, 1 - b1, b2, 1 - b2))
    mask = decide_mask(masking, m.astype(dtype), new_m, gradient)
    if alpha == "norm":
        # Proportional to u, which is all that a ratio of norms needs.
        like_u = new_m / (jnp.sqrt(new_v) + eps * jnp.sqrt(bias_correction(b2, count, dtype)))
        squares = like_u * like_u
        bits, kept, dropped = _reduce_groups(size, mask, jnp.where(mask, squares, 0), jnp.where(mask, 0, squares))
        measured = jnp.sum(kept)
        strength = ratio_of_norms(measured, jnp.sum(dropped), alpha_max)
    else:
        (bits,) = _reduce_groups(size, mask)
        measured = jnp.sum(jax.lax.population_count(bits), dtype=jnp.int32)
        counts = alpha == "count"
        strength = ratio_of_counts(g.size, measured, alpha_max, dtype) if counts else jnp.asarray(alpha, dtype)

    # Neither a sum of squares nor a count is negative, but XLA does not know.
    after = (jnp.where(measured < 0, 0, jnp.asarray(factor, dtype)) for factor in (b1, 1 - b1, b2, 1 - b2))
    m, v = moments(gradient, m, v, *after)
    u = direction(m, v, count, b1, b2, eps, dtype)
    selected = _unpack(bits, size, g.shape)
    # XLA does not know either that these numbers are 0 or 1: this is a product, and a NaN stays loud.
    return strength * (u * selected.astype(dtype)), m, v, strength, selected == 1


def _reduce_groups(size: int, mask: jax.Array, *values: jax.Array) -> tuple[jax.Array, ...]:
    """Reduce groups of ``size`` elements: the mask to the bits of a byte, values to their sums, all by one kernel."""
    grouped = _group(mask.astype(jnp.uint8), size)
    operands = [grouped << _places(grouped.shape), *(_group(value, size) for value in values)]
    zeros = [jnp.zeros([], operand.dtype) for operand in operands]
    return tuple(jax.lax.reduce(operands, zeros, _add, [grouped.ndim - 2]))


def _add(sums: list[jax.Array], terms: list[jax.Array]) -> list[jax.Array]:
    return [a + b for a, b in zip(sums, terms, strict=True)]


def _unpack(bits: jax.Array, size: int, shape: tuple[int, ...]) -> jax.Array:
    """The mask as numbers 0 and 1, of the tensor's shape."""
    *outer, last = shape or (1,)
    selected = (bits[..., None, :] >> _places(_grouped_shape(shape, size))) & 1
    return selected.reshape(*outer, -1)[..., :last].reshape(shape)


def _places(grouped: tuple[int, ...]) -> jax.Array:
    """Which bit of its group's byte each element is."""
    return jax.lax.broadcasted_iota(jnp.uint8, grouped, len(grouped) - 2)


def _group(x: jax.Array, size: int) -> jax.Array:
    *outer, last = x.shape or (1,)
    grouped = _grouped_shape(x.shape, size)
    padding = math.prod(grouped) // math.prod(outer) - last
    return jnp.pad(x.reshape(*outer, last), [(0, 0)] * len(outer) + [(0, padding)]).reshape(grouped)


def _grouped_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The shape (..., groups, size, lanes) that holds a tensor, its last axis padded where nothing divides it.

    The axes before the last stay as they are where that is possible, and with them the sharding of a tensor.
    """
    *outer, last = shape or (1,)
    if last % (size * _LANES) == 0:
        return (*outer, last // (size * _LANES), size, _LANES)
    if outer and outer[-1] % size == 0:
        return (*outer[:-1], outer[-1] // size, size, last)
    return (*outer, 1, size, -(-last // size))
