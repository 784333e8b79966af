"""Estimates of the diagonal of the Hessian, as Sophia takes them, by the derivatives of the backend."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

__all__ = ["gauss_newton_bartlett", "hutchinson"]


def hutchinson(loss: Callable[[list[Any]], Any], variables: Sequence[Any], seed: Any) -> list[Any]:
    r"""Hutchinson's unbiased estimate of the diagonal of the Hessian, :math:`u \odot H u` with normal :math:`u`.

    It costs as much as a few gradients. Every part of the model must have a second derivative: on PyTorch it must
    not be compiled by ``torch.compile``, and attention is carried out in the one form that can be differentiated twice.

    Args:
        loss: Function of values in the place of the variables, a list; returns a scalar. ``model.stateless_call``
            computes a model with such values, on every backend.
        variables: The variables, or their values, by which to differentiate.
        seed: A whole number or an integer scalar, another one at each call; ``optimizer.iterations`` is one.

    Returns:
        One estimate for each variable, in their order; float32 for half-precision variables. The mean over several
        batches, devices or seeds is an estimate with less variance.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 1.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import hutchinson
        >>> variable = keras.Variable([0.0])
        >>> several = [hutchinson(lambda values: 3 * values[0][0] ** 2, [variable], seed)[0] for seed in range(20)]
        >>> bool(min(several) >= 0)  # 6 times the square of a normal number
        True
    """
    return _backend().hutchinson(loss, _values(variables), seed)


def gauss_newton_bartlett(logits: Callable[[list[Any]], Any], variables: Sequence[Any], seed: Any) -> list[Any]:
    r"""The Gauss-Newton-Bartlett estimate of the diagonal of the Hessian of a mean cross-entropy, never negative.

    Labels are drawn from the model's own predictions, and the gradient :math:`\hat g` of the mean loss of those
    :math:`B` labels gives :math:`B\, \hat g \odot \hat g`. Its mean is the diagonal of the Gauss-Newton matrix. It
    costs about as much as one gradient.

    Args:
        logits: Function of values in the place of the variables, a list; the last axis of its result is that of the
            classes, and every vector along it is one of the :math:`B` predictions: for a language model, of one token.
            ``model.stateless_call`` computes a model with such values, on every backend.
        variables: The variables, or their values, by which to differentiate.
        seed: A whole number or an integer scalar, another one at each call; ``optimizer.iterations`` is one.

    Returns:
        One estimate for each variable, in their order; float32 for half-precision variables. The mean over several
        batches, devices or seeds is an estimate with less variance.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 2.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import gauss_newton_bartlett
        >>> variable = keras.Variable([0.0, 0.0])
        >>> (estimate,) = gauss_newton_bartlett(lambda values: values[0], [variable], seed=0)
        >>> print(keras.ops.convert_to_numpy(estimate))  # the square of (1/2, -1/2), whichever label is drawn
        [0.25 0.25]
    """
    return _backend().gauss_newton_bartlett(logits, _values(variables), seed)


def _backend() -> Any:
    return importlib.import_module(f"alphaadam.keras.baselines._estimators_{keras.backend.backend()}")


def _values(variables: Sequence[Any]) -> list[Any]:
    return [ops.convert_to_tensor(variable) for variable in variables]
