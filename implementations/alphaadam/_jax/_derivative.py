"""The derivative of a step, for those who differentiate through training.

A rule of its own, for three reasons. Kernels and reductions made for speed need not be differentiable. The derivative
of a root is infinite at zero, where every coordinate without a gradient is: differentiating the step as it is
computed would make NaN of it. And the mask is a choice, whose derivative is zero: it is taken as it was.

Around the step itself nothing changes: a ``jax.custom_jvp`` leaves no trace in a program that is not differentiated.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from alphaadam import _hyperparameters as checks
from alphaadam._jax._paths import update_tensor
from alphaadam._jax._rule import bias_correction, compute_dtype, moments


def differentiable_update(g, m, v, count, *, masking, **numbers):  # type: ignore[no-untyped-def]
    """``update_tensor``, with a derivative in g, m, v and in every hyperparameter that is an array."""
    # Python's numbers stay what they are: as arrays they would be rounded to float32 before 1 - b2 is taken.
    arrays = {name: value for name, value in numbers.items() if isinstance(value, jax.Array)}
    constants = {name: value for name, value in numbers.items() if name not in arrays}

    @jax.custom_jvp
    def step(g, m, v, count, arrays):  # type: ignore[no-untyped-def]
        return update_tensor(g, m, v, count, masking=masking, **constants, **arrays)

    @step.defjvp
    def derivative(primals, tangents):  # type: ignore[no-untyped-def]
        results = step(*primals)
        mask = results[-1]

        def smooth(g, m, v, count, arrays):  # type: ignore[no-untyped-def]
            return _smooth_update(g, m, v, count, mask, masking=masking, **constants, **arrays)

        _, changes = jax.jvp(smooth, primals, tangents)
        return results, (*changes, np.zeros(mask.shape, jax.dtypes.float0))

    return step(g, m, v, count, arrays)


def _smooth_update(g, m, v, count, mask, b1, b2, eps, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """The rule with a given mask; its values matter only as far as its derivative does."""
    dtype = compute_dtype(g)
    m, v = moments(g.astype(dtype), m, v, b1, 1 - b1, b2, 1 - b2)
    m_hat = m.astype(dtype) / _smooth_bias_correction(b1, count, dtype)
    v_hat = v.astype(dtype) / _smooth_bias_correction(b2, count, dtype)
    # Without any gradient so far, u = g / (|g| + eps) near 0, whose slope is 1 / eps: that of m alone.
    u = m_hat / (jnp.where(v_hat > 0, jnp.sqrt(jnp.where(v_hat > 0, v_hat, 1)), 0) + eps)
    strength = smooth_strength(u, mask, masking, alpha, alpha_max)
    return strength * jnp.where(mask, u, 0), m, v, strength


def smooth_strength(u, mask, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    if not isinstance(alpha, str):
        return jnp.asarray(alpha, u.dtype)
    one = jnp.ones([], u.dtype)
    if masking == "none" or u.size == 0:
        return one
    cap = jnp.asarray(checks.alpha_cap(alpha, alpha_max), u.dtype)
    if alpha == "count":
        return jnp.minimum(u.size / jnp.sum(mask, dtype=jnp.int32).astype(u.dtype), cap)
    squares = u * u
    kept = jnp.sum(jnp.where(mask, squares, 0))
    dropped = jnp.sum(jnp.where(mask, 0, squares))
    capped = (dropped >= (cap * cap - 1) * kept) | (kept == 0)  # False for NaN, which stays loud
    ratio = jnp.sqrt(1 + jnp.where(capped, 0, dropped) / jnp.where(capped, 1, kept))
    return jnp.where(dropped == 0, one, jnp.where(capped, cap, ratio))


def _smooth_bias_correction(decay: Any, count: jax.Array, dtype: Any) -> jax.Array:
    """The logarithm of an array that is 0 has no derivative, not even for the sake of others."""
    if not checks.is_number(decay):
        decay = jnp.maximum(decay, jnp.finfo(dtype).tiny)
    return bias_correction(decay, count, dtype)
