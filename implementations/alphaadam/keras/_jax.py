"""The rule on the JAX backend: that of ``alphaadam.optax``, in the order that XLA compiles best for the device."""

from functools import partial
from typing import Any

import jax
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
    arrays = map(ops.convert_to_tensor, (variable, gradient, momentum, velocity))
    return _step(*arrays, jnp.asarray(step), jnp.asarray(learning_rate), weight_decay=weight_decay, rule=rule)


# Compiled for those who step eagerly; a compiled training step takes it in as if it were not.
@partial(jax.jit, static_argnames=("weight_decay", "rule"))
def _step(theta, g, m, v, step, lr, weight_decay, rule):  # type: ignore[no-untyped-def]
    dtype = compute_dtype(theta)
    numbers = {"b1": rule.beta_1, "b2": rule.beta_2, "eps": rule.epsilon}
    rules = {"masking": rule.masking, "alpha": rule.alpha, "alpha_max": rule.alpha_max}
    update, m, v, alpha, mask = differentiable_update(g.astype(dtype), m, v, step, **numbers, **rules)
    lr = lr.astype(dtype)
    new_theta = theta.astype(dtype) * (1 - lr * weight_decay) - lr * update
    return Updated(new_theta.astype(theta.dtype), m, v, alpha, mask)
