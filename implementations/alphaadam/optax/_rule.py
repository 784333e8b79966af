"""AlphaAdam's rule for one tensor: moments, mask, strength and the scaled direction."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from alphaadam import _hyperparameters as checks


def update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """Return (alpha * A * u, m, v, alpha, A) of one tensor."""
    refuse_complex(g)
    dtype = compute_dtype(g)
    gradient = g.astype(dtype)
    old_m = m.astype(dtype)
    # What follows sees the moments as they are stored.
    m = (b1 * old_m + (1 - b1) * gradient).astype(m.dtype)
    v = (b2 * v.astype(dtype) + (1 - b2) * jnp.square(gradient)).astype(v.dtype)
    new_m = m.astype(dtype)
    m_hat = new_m / _bias_correction(b1, count, dtype)
    u = m_hat / (jnp.sqrt(v.astype(dtype) / _bias_correction(b2, count, dtype)) + eps)
    mask = _mask(masking, old_m, new_m, gradient)
    strength = _strength(alpha, alpha_max, masking, mask, u)
    # The IEEE product of mask and u, which keeps a NaN loud where the mask is 0: u - u is 0, or NaN. XLA would turn a
    # multiplication by the mask into a selection that hides it.
    masked_u = jnp.where(mask, u, u - u)
    return (strength * masked_u).astype(g.dtype), m, v, strength, mask


def _mask(masking: str, old_m: jax.Array, m: jax.Array, g: jax.Array) -> jax.Array:
    """The mask, decided from signs: the float product of two small numbers underflows to 0 where its sign is +."""
    if masking == "none":
        return jnp.ones(g.shape, bool)
    if masking == "sync":
        return jnp.sign(m) * jnp.sign(g) > 0
    return (old_m == 0) | (jnp.sign(old_m) * jnp.sign(g) > 0)


def _strength(alpha, alpha_max, masking, mask, u):  # type: ignore[no-untyped-def]
    """Alpha as a 0-d array of the compute dtype."""
    if not isinstance(alpha, str):
        return jnp.asarray(alpha, u.dtype)
    one = jnp.ones([], u.dtype)
    if masking == "none" or u.size == 0:
        return one
    if alpha == "count":
        # Counted in integers: float32 cannot count past 2^24.
        ratio = u.size / jnp.sum(mask, dtype=jnp.int32).astype(u.dtype)
    else:
        # ||u|| / ||A*u|| from the squares that the mask keeps and drops: exactly 1 if it drops none, never less. XLA
        # sums floats as a tree. The squares underflow where |u| is below about 1e-19; alpha is then 1.
        squares = u * u
        kept = jnp.sum(jnp.where(mask, squares, 0))
        dropped = jnp.sum(jnp.where(mask, 0, squares))
        ratio = jnp.where(kept + dropped == 0, one, jnp.sqrt(1 + dropped / kept))
    return jnp.minimum(ratio, jnp.asarray(checks.alpha_cap(alpha, alpha_max), u.dtype))


def _bias_correction(decay: jax.typing.ArrayLike, count: jax.Array, dtype: Any) -> jax.Array:
    """``1 - decay**count`` without the cancellation that costs float32 a hundred ulp at the first steps."""
    if checks.is_number(decay):
        log = math.log(decay) if decay > 0 else -math.inf  # type: ignore[arg-type, operator]
        return -jnp.expm1(count.astype(dtype) * log)
    return -jnp.expm1(count.astype(dtype) * jnp.log(jnp.asarray(decay, dtype)))


def compute_dtype(array: Any) -> Any:
    return jnp.promote_types(jnp.result_type(array), jnp.float32)


def refuse_complex(array: Any) -> None:
    if jnp.iscomplexobj(array):
        raise TypeError(
            f"AlphaAdam: a parameter of dtype {jnp.result_type(array)} is not supported. Optimize its real and "
            "imaginary parts as two real leaves, for example with optax.contrib.split_real_and_imaginary."
        )
