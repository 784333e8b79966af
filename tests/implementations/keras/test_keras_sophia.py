"""Sophia in Keras: what the estimators estimate on each backend, and how the optimizer is given it in training."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras.baselines import Sophia, gauss_newton_bartlett, hutchinson
from tests.implementations import curvature

ON_JAX = keras.backend.backend() == "jax"


def variables():
    return [keras.Variable(curvature.WEIGHT), keras.Variable(curvature.BIAS)]


def logits(values):
    return ops.matmul(ops.convert_to_tensor(curvature.X), ops.square(values[0])) + values[1]


def loss(values):
    labels = ops.convert_to_tensor(curvature.LABELS, dtype="int32")
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits(values), from_logits=True))


ESTIMATORS = {
    "hutchinson": (hutchinson, loss, curvature.hessian_diagonal),
    "gauss_newton_bartlett": (gauss_newton_bartlett, logits, curvature.gauss_newton_diagonal),
}


def compiled(function):
    """As a training step runs: estimating thousands of times eagerly takes minutes."""
    if ON_JAX:
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    return function


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_of_estimates_is_the_diagonal(name):
    estimator, function, exact = ESTIMATORS[name]
    given = variables()
    estimate = compiled(lambda seed: estimator(function, given, seed))
    found = [list(map(ops.convert_to_numpy, estimate(ops.convert_to_tensor(seed)))) for seed in range(2000)]
    curvature.check_mean([np.stack(of_one) for of_one in zip(*found, strict=True)], exact())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_seed_gives_the_same_estimate_and_another_one_another(name):
    estimator, function, _ = ESTIMATORS[name]
    (first, _), (again, _), (other, _) = (estimator(function, variables(), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (first, again)))
    assert not np.array_equal(*map(ops.convert_to_numpy, (first, other)))


def test_an_estimate_counts_in_the_next_step():
    weight, bias = variables()
    optimizer = Sophia(1.0, beta_1=0.0, beta_2=0.5, gamma=2.0)
    with pytest.raises(RuntimeError, match=r"Sophia: the optimizer has no variables yet. Call build"):
        optimizer.update_hessian([None, None])
    optimizer.build([weight, bias])
    optimizer.update_hessian([ops.full((3, 4), 8.0), None])
    optimizer.apply([ops.full((3, 4), 2.0), ops.full((4,), 1e-3)], [weight, bias])
    np.testing.assert_allclose(curvature.WEIGHT - ops.convert_to_numpy(weight), 2 / (2 * 4), rtol=1e-5)
    np.testing.assert_allclose(curvature.BIAS - ops.convert_to_numpy(bias), 1, rtol=1e-5)


def test_without_assigning_it_returns_what_it_would_assign():
    given = variables()
    optimizer, other = Sophia(), Sophia()
    for made in (optimizer, other):
        made.build(given)
    estimates = [ops.ones((3, 4)), None]
    before = [ops.convert_to_numpy(v).copy() for v in optimizer.variables]
    returned = optimizer.stateless_update_hessian(list(map(ops.convert_to_tensor, before)), estimates)
    other.update_hessian(estimates)
    for old, variable, value, wanted in zip(before, optimizer.variables, returned, other.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (value, wanted)))


def test_estimates_that_do_not_belong_are_refused():
    optimizer = Sophia()
    optimizer.build(variables())
    with pytest.raises(ValueError, match="Sophia: 1 estimates for 2 variables"):
        optimizer.update_hessian([None])
    with pytest.raises(ValueError, match=r"Sophia: an estimate of shape \(2,\) for the variable .* of shape \(4,\)"):
        optimizer.update_hessian([None, ops.ones(2)])


def test_a_nan_estimate_shows():
    (_, bias), optimizer = variables(), Sophia()
    optimizer.build([bias])
    optimizer.update_hessian([ops.convert_to_tensor(np.array([1, np.nan, 1, 1], np.float32))])
    optimizer.apply([ops.ones(4)], [bias])
    assert np.isnan(ops.convert_to_numpy(bias)).tolist() == [False, True, False, False]


class Classifier(keras.Model):
    """A model that estimates in its own training step on JAX, every third time."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.head = keras.layers.Dense(4)

    def call(self, x):
        return self.head(self.hidden(x))

    def train_step(self, state, data):
        import jax

        trainable, fixed, optimizer_values, metrics = state
        x, *_ = data
        count = optimizer_values[0]

        def refreshed():
            estimates = gauss_newton_bartlett(lambda v: self.stateless_call(v, fixed, x)[0], trainable, count)
            return self.optimizer.stateless_update_hessian(optimizer_values, estimates)

        optimizer_values = jax.lax.cond(count % 3 == 0, refreshed, lambda: list(optimizer_values))
        return super().train_step((trainable, fixed, optimizer_values, metrics), data)


@pytest.mark.skipif(not ON_JAX, reason="the training step of another backend has another signature")
def test_a_compiled_training_step_estimates_when_it_is_due():
    """The same numbers as with estimates between the steps."""
    results = []
    for inside in (True, False):
        keras.utils.set_random_seed(0)
        model = Classifier() if inside else keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)])
        model(curvature.X)
        optimizer = Sophia(0.01, gamma=1.0)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        optimizer.build(model.trainable_variables)
        losses = []
        for step in range(7):
            if not inside and step % 3 == 0:
                estimates = gauss_newton_bartlett(
                    lambda v, model=model: model.stateless_call(v, [], curvature.X)[0], model.trainable_variables, step
                )
                optimizer.update_hessian(estimates)
            losses.append(float(model.train_on_batch(curvature.X, curvature.LABELS)))
        results.append(losses)
    assert results[0][-1] < results[0][0]
    np.testing.assert_allclose(*results, rtol=1e-4)


def test_estimates_between_steps_on_any_backend():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    optimizer = Sophia(0.05, gamma=1.0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    optimizer.build(model.trainable_variables)
    losses = []
    for step in range(9):
        if step % 3 == 0:
            fixed = model.non_trainable_variables
            estimates = gauss_newton_bartlett(
                lambda v, fixed=fixed: model.stateless_call(v, fixed, curvature.X)[0], model.trainable_variables, step
            )
            optimizer.update_hessian(estimates)
        losses.append(float(model.train_on_batch(curvature.X, curvature.LABELS)))
    assert losses[-1] < losses[0]
    assert all(ops.convert_to_numpy(v).max() > 0 for v in optimizer.variables if "hessian" in v.path)
