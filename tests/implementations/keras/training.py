"""What these tests train, and how they look at it."""

import contextlib
import functools

import keras
import numpy as np
import pytest
from keras import ops

BACKEND = keras.backend.backend()
#: Whether to compile `fit` where it does not matter: JAX compiles each condition of an eager step anew.
JIT = BACKEND == "jax"


def only_on(*backends, reason):
    """Skip a test elsewhere."""
    return pytest.mark.skipif(BACKEND not in backends, reason=f"{reason}; this is {BACKEND}")


def make_model():
    """Two dense layers, the same at every call."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="tanh", name="hidden"),
            keras.layers.Dense(1, name="head"),
        ]
    )


def make_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    return x, (x @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32"))


def fit(model, epochs=1, callbacks=None):
    """Four steps for each epoch; returns the losses."""
    x, y = make_data()
    history = model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return history.history["loss"]


def gradients(like, seed):
    """Normal gradients for variables or arrays, as NumPy arrays."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=tuple(x.shape)).astype("float32") for x in like]


def tensors(arrays):
    return [ops.convert_to_tensor(array) for array in arrays]


def apply(optimizer, variables, seed):
    optimizer.apply(tensors(gradients(variables, seed)), variables)


def values(variables):
    return [np.array(ops.convert_to_numpy(v.value)) for v in variables]


def state(model):
    """Everything that training changes."""
    return values(model.variables) + values(model.optimizer.variables)


def assert_identical(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def compiled(optimizer, variables):
    """A step as the backend's training step compiles it: by XLA on JAX and TensorFlow, not at all on PyTorch."""
    if BACKEND == "tensorflow":
        import tensorflow

        return tensorflow.function(lambda *gradients: optimizer.apply(gradients, variables), jit_compile=True)
    if BACKEND == "jax":
        import jax

        update = jax.jit(optimizer.stateless_apply)

        def step(*gradients):
            trained, state = update([v.value for v in optimizer.variables], gradients, [v.value for v in variables])
            for variable, value in zip(variables + optimizer.variables, trained + state, strict=True):
                variable.assign(value)

        return step
    return lambda *gradients: optimizer.apply(gradients, variables)


@contextlib.contextmanager
def policy(name):
    """Layers and models made here have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@functools.cache
def mirrored():
    """One for all tests: TensorFlow numbers collective operations by strategy, and those of two meet."""
    import tensorflow

    return tensorflow.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
