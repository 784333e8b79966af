"""The estimators on JAX."""

from collections.abc import Callable
from typing import Any

import jax
from keras import ops

from alphaadam._jax import _curvature


def hutchinson(loss: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``u * (H u)``."""
    return _curvature.hutchinson(loss, values, _key(seed))


def gauss_newton_bartlett(logits: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``B * g**2``."""
    return _curvature.gauss_newton_bartlett(logits, values, _key(seed))


def _key(seed: Any) -> jax.Array:
    return jax.random.key(ops.convert_to_tensor(seed))
