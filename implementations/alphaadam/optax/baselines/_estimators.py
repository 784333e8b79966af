"""Estimates of the diagonal of the Hessian, as ``sophia`` takes them."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from alphaadam._jax import _curvature

__all__ = ["gauss_newton_bartlett", "hutchinson"]


def hutchinson(loss: Callable[[Any], jax.Array], params: optax.Params, key: jax.Array) -> optax.Updates:
    r"""Hutchinson's unbiased estimate of the diagonal of the Hessian, :math:`u \odot H u` with normal :math:`u`.

    It costs as much as a few gradients. The Hessian times a vector is the directional derivative of the gradient,
    so the loss must not contain a ``jax.custom_vjp``, nor a kernel without a forward derivative.

    Args:
        loss: Function of the parameters, a scalar.
        params: Pytree of floating-point arrays.
        key: Source of the random numbers, another one at each call.

    Returns:
        A pytree like ``params``, float32 for half-precision leaves. The mean over several batches, devices or keys is
        an estimate with less variance.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from alphaadam.optax.baselines import hutchinson
        >>> x = jnp.array([1.0, -2.0])
        >>> keys = jax.random.split(jax.random.key(0), 2000)
        >>> several = jax.vmap(lambda key: hutchinson(lambda x: jnp.sum(x**3), x, key))(keys)
        >>> bool(jnp.abs(several.mean(0) - 6 * x).max() < 1)
        True
    """
    return _curvature.hutchinson(loss, params, key)


def gauss_newton_bartlett(logits: Callable[[Any], jax.Array], params: optax.Params, key: jax.Array) -> optax.Updates:
    r"""The Gauss-Newton-Bartlett estimate of the diagonal of the Hessian of a mean cross-entropy, never negative.

    Labels are drawn from the model's own predictions, and the gradient :math:`\hat g` of the mean loss of those
    :math:`B` labels gives :math:`B\, \hat g \odot \hat g`. Its mean is the diagonal of the Gauss-Newton matrix. It
    costs about as much as one gradient.

    Args:
        logits: Function of the parameters; the last axis of its result is that of the classes, and every vector along
            it is one of the :math:`B` predictions: for a language model, of one token.
        params: Pytree of floating-point arrays.
        key: Source of the random numbers, another one at each call.

    Returns:
        A pytree like ``params``, float32 for half-precision leaves. The mean over several batches, devices or keys is
        an estimate with less variance.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 2.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from alphaadam.optax.baselines import gauss_newton_bartlett
        >>> x = jnp.zeros(2)  # whichever label is drawn, the square of (1/2, -1/2)
        >>> print(gauss_newton_bartlett(lambda x: x, x, jax.random.key(0)))
        [0.25 0.25]
    """
    return _curvature.gauss_newton_bartlett(logits, params, key)
