"""What the tests of the JAX ecosystem train: a few tensors with random gradients, and a small regression."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

#: A float32 parameter below 4 is rounded by up to 2.4e-7 in a step, and an alpha that is summed in another order moves
#: it by less. Two programs for the same few steps stay within this; a wrong alpha or mask is off by a thousandth.
ROUNDING = 2e-6


def make_params(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return {"w": jnp.asarray(rng.normal(size=(3, 4)), dtype), "b": {"x": jnp.asarray(rng.normal(size=5), dtype)}}


def gradients_like(params, step):
    rng = np.random.default_rng(100 + step)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), params)


def compile_step(optimizer):
    @jax.jit
    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return step


def train(optimizer, params, state, first, last):
    step = compile_step(optimizer)
    for number in range(first, last):
        params, state = step(gradients_like(params, number), state, params)
    return params, state


def train_new(optimizer, params, last):
    return train(optimizer, params, optimizer.init(params), 0, last)


def draw_batch(number, size=16):
    """Inputs and targets of a linear regression with noise."""
    rng = np.random.default_rng(200 + number)
    inputs = rng.normal(size=(size, 4))
    targets = inputs @ [[1.0], [-2.0], [0.5], [0.0]] + 0.1 * rng.normal(size=(size, 1))
    return jnp.asarray(inputs, jnp.float32), jnp.asarray(targets, jnp.float32)


def assert_identical(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def assert_same_run(actual, expected):
    """The same steps by another program: floats up to rounding, masks and counts exactly."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        exact = not jnp.issubdtype(a.dtype, jnp.floating)
        np.testing.assert_allclose(a, b, rtol=0, atol=0 if exact else ROUNDING)
