"""The rule on the JAX backend: that of ``alphaadam.optax``, in the order that XLA compiles best for the device."""

from typing import Any

import jax.numpy as jnp
from keras import ops

from alphaadam._jax._derivative import differentiable_update
from alphaadam.keras._rule import Hyperparameters, Updated, compute_dtype


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
    """Compute one step of one variable; arguments and result are those of ``_rule.update_tensor``."""
    dtype = compute_dtype(variable)
    theta, g, m, v = map(ops.convert_to_tensor, (variable, gradient, momentum, velocity))
    update, m, v, alpha, mask = differentiable_update(
        g.astype(dtype),
        m,
        v,
        jnp.asarray(step),
        b1=rule.beta_1,
        b2=rule.beta_2,
        eps=rule.epsilon,
        masking=rule.masking,
        alpha=rule.alpha,
        alpha_max=rule.alpha_max,
    )
    lr = jnp.asarray(learning_rate, dtype)
    new_theta = theta.astype(dtype) * (1 - lr * weight_decay) - lr * update
    return Updated(new_theta.astype(theta.dtype), m, v, alpha, mask)
