"""AlphaAdam's rule for one tensor: moments, direction, mask, strength and the scaled direction."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from alphaadam import _hyperparameters as checks


def update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """Return (alpha * A * u, m, v, alpha, A) of one tensor; the first in the compute dtype."""
    dtype = compute_dtype(g)
    old_m, gradient = m.astype(dtype), g.astype(dtype)
    m, v = moments(gradient, m, v, b1, 1 - b1, b2, 1 - b2)
    u = direction(m, v, count, b1, b2, eps, dtype)
    mask = decide_mask(masking, old_m, m.astype(dtype), gradient)
    strength = decide_strength(alpha, alpha_max, masking, mask, u)
    # The IEEE product of mask and u, which keeps a NaN loud where the mask is 0: u - u is 0, or NaN. XLA would turn a
    # multiplication by the mask into a selection that hides it.
    masked_u = jnp.where(mask, u, u - u)
    return strength * masked_u, m, v, strength, mask


def moments(g, m, v, b1, rest1, b2, rest2):  # type: ignore[no-untyped-def]
    """The moments after the gradient ``g`` in the compute dtype, as they are stored; ``rest1`` is ``1 - b1``."""
    new_m = b1 * m.astype(g.dtype) + rest1 * g
    new_v = b2 * v.astype(g.dtype) + rest2 * jnp.square(g)
    return new_m.astype(m.dtype), new_v.astype(v.dtype)


def direction(m, v, count, b1, b2, eps, dtype):  # type: ignore[no-untyped-def]
    """Adam's direction u of the stored moments, in the compute dtype."""
    m_hat = m.astype(dtype) / bias_correction(b1, count, dtype)
    v_hat = v.astype(dtype) / bias_correction(b2, count, dtype)
    return m_hat / (jnp.sqrt(v_hat) + eps)


def decide_mask(masking: str, old_m: jax.Array, m: jax.Array, g: jax.Array) -> jax.Array:
    """The mask, decided from signs: the float product of two small numbers underflows to 0 where its sign is +."""
    if masking == "none":
        return jnp.ones(g.shape, bool)
    if masking == "sync":
        return _agree(m, g)
    return (old_m == 0) | _agree(old_m, g)


def decide_strength(alpha, alpha_max, masking, mask, u):  # type: ignore[no-untyped-def]
    """Alpha as a 0-d array of the compute dtype."""
    if not isinstance(alpha, str):
        return jnp.asarray(alpha, u.dtype)
    if masking == "none" or u.size == 0:
        return jnp.ones([], u.dtype)
    if alpha == "count":
        # Counted in integers: float32 cannot count past 2^24.
        return ratio_of_counts(u.size, jnp.sum(mask, dtype=jnp.int32), alpha_max, u.dtype)
    squares = u * u
    return ratio_of_norms(jnp.sum(jnp.where(mask, squares, 0)), jnp.sum(jnp.where(mask, 0, squares)), alpha_max)


def ratio_of_counts(size: int, kept: jax.Array, alpha_max: Any, dtype: Any) -> jax.Array:
    """``min(n / sum(A), alpha_max)``."""
    return jnp.minimum(size / kept.astype(dtype), jnp.asarray(checks.alpha_cap("count", alpha_max), dtype))


def ratio_of_norms(kept: jax.Array, dropped: jax.Array, alpha_max: Any) -> jax.Array:
    """``min(||u|| / ||A*u||, alpha_max)`` from the sums of squares that the mask keeps and drops.

    Exactly 1 if it drops none, and never less. The squares underflow where |u| is below about 1e-19; alpha is then 1.
    """
    ratio = jnp.where(kept + dropped == 0, 1, jnp.sqrt(1 + dropped / kept))
    return jnp.minimum(ratio, jnp.asarray(checks.alpha_cap("norm", alpha_max), kept.dtype))


def bias_correction(decay: Any, count: jax.Array, dtype: Any) -> jax.Array:
    """``1 - decay**count`` without the cancellation that costs float32 a hundred ulp at the first steps."""
    if checks.is_number(decay):
        log = math.log(decay) if decay > 0 else -math.inf
        return -jnp.expm1(count.astype(dtype) * log)
    return -jnp.expm1(count.astype(dtype) * jnp.log(jnp.asarray(decay, dtype)))


def compute_dtype(array: Any) -> Any:
    """float32 for half precision, else the array's own."""
    return jnp.promote_types(jnp.result_type(array), jnp.float32)


def _agree(a: jax.Array, b: jax.Array) -> jax.Array:
    """Whether both have a sign, and the same."""
    return ((a > 0) & (b > 0)) | ((a < 0) & (b < 0))
