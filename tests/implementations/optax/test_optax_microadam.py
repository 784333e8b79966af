"""What is special in microadam: what it keeps, and the roundings that a compiler may not leave out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alphaadam.optax.baselines import microadam


@pytest.mark.parametrize(("shape", "most"), [((256, 1024), 0.903), ((50257,), 0.91)])
def test_it_keeps_nine_tenths_of_a_byte_for_each_parameter(shape, most):
    params = jnp.zeros(shape)
    kept = sum(leaf.nbytes for leaf in jax.tree.leaves(microadam().init(params).slots))
    assert 0.9 < kept / params.size < most


def test_a_compiled_step_rounds_the_latest_values_as_all_others():
    """With all of a single gradient the update of 1 is m / sqrt(v); of 1 + 2^-9, that with its value rounded."""
    optimizer, params = microadam(1.0, density=1.0, eps=1.0, b1=0.0, b2=0.0), jnp.zeros(2)
    gradients = jnp.array([1.0, 1.0 + 2.0**-9])
    updates, _ = jax.jit(optimizer.update)(gradients, optimizer.init(params), params)
    assert updates[0] == updates[1] == -0.5


def test_a_leaf_that_rests_keeps_the_ages_of_its_gradients():
    optimizer = microadam(1.0, density=0.5, window=2, b2=0.0)
    params = [jnp.zeros(2)]
    update = jax.jit(optimizer.update)
    _, state = update([jnp.array([1.0, 0.0])], optimizer.init(params), params)
    _, rested = optimizer.update([None], state, params)
    moved = [update([jnp.array([0.0, 1.0])], each, params)[0][0] for each in (state, rested)]
    ratio = np.asarray(moved[1]) / np.asarray(moved[0])
    np.testing.assert_allclose(ratio, (1 - 0.9**2) / (1 - 0.9**3), rtol=1e-5)
