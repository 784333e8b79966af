"""Estimates of the diagonal of the Hessian by JAX' derivatives."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from alphaadam._jax._rule import compute_dtype


def hutchinson(loss: Callable[[Any], jax.Array], params: Any, key: jax.Array) -> Any:
    """``u * (H u)`` with normal u; a pytree like ``params``."""
    structure: Any
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, max(1, len(leaves)))
    drawn = [jax.random.normal(k, jnp.shape(x), jnp.result_type(x)) for k, x in zip(keys, leaves, strict=False)]
    directions = structure.unflatten(drawn)
    _, products = jax.jvp(jax.grad(loss), (params,), (directions,))
    return jax.tree.map(lambda u, product: _wide(u) * _wide(product), directions, products)


def gauss_newton_bartlett(logits: Callable[[Any], jax.Array], params: Any, key: jax.Array) -> Any:
    """``B * g**2`` with g the gradient of the mean loss of B labels drawn from the predictions."""

    def mean_loss(params: Any) -> tuple[jax.Array, int]:
        found = logits(params)
        predictions = _wide(found.reshape(-1, found.shape[-1]))
        labels = jax.random.categorical(key, jax.lax.stop_gradient(predictions))
        likelihoods = jnp.take_along_axis(jax.nn.log_softmax(predictions), labels[:, None], axis=1)
        return -likelihoods.mean(), len(labels)

    gradients, count = jax.grad(mean_loss, has_aux=True)(params)
    return jax.tree.map(lambda g: count * jnp.square(_wide(g)), gradients)


def _wide(array: jax.Array) -> jax.Array:
    return array.astype(compute_dtype(array))
