"""The estimators on TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from alphaadam.keras._rule import compute_dtype


def hutchinson(loss: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``u * (H u)``."""
    values = _tensors(values)
    directions = [
        tf.random.stateless_normal(value.shape, _seed(seed, index), dtype=value.dtype)
        for index, value in enumerate(values)
    ]
    with tf.GradientTape() as outer:
        outer.watch(values)
        gradients = _gradients(loss, values)
    products = outer.gradient(gradients, values, directions, unconnected_gradients="zero")
    return [_wide(u) * _wide(tf.convert_to_tensor(product)) for u, product in zip(directions, products, strict=True)]


def gauss_newton_bartlett(logits: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``B * g**2``."""
    counts = []

    def mean_loss(values: list[Any]) -> Any:
        found = logits(values)
        predictions = _wide(tf.reshape(found, (-1, found.shape[-1])))
        labels = tf.random.stateless_categorical(tf.stop_gradient(predictions), 1, _seed(seed, 0), dtype=tf.int32)
        counts.append(tf.cast(tf.shape(predictions)[0], predictions.dtype))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:, 0], predictions)
        return tf.reduce_mean(losses)

    gradients = _gradients(mean_loss, _tensors(values))
    return [tf.cast(counts[0], compute_dtype(g)) * tf.square(_wide(g)) for g in gradients]


def _gradients(function: Callable[[list[Any]], Any], values: list[Any]) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = function(values)
    return [tf.convert_to_tensor(g) for g in tape.gradient(result, values, unconnected_gradients="zero")]


def _tensors(values: list[Any]) -> list[Any]:
    return [tf.convert_to_tensor(value) for value in values]  # Keras takes a variable for a tensor already


def _seed(seed: Any, index: int) -> Any:
    return tf.stack([tf.cast(seed, tf.int32), tf.constant(index, tf.int32)])


def _wide(tensor: Any) -> Any:
    return tf.cast(tensor, compute_dtype(tensor))
