"""ROOT for Optax: its threshold, and what a step compiles to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alphaadam.optax.baselines import root
from alphaadam.optax.baselines._root import _quantile


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [1, 2, 11, 1000])
def test_the_threshold_is_the_quantile_of_all_elements(q, size):
    """With ties, zeros, and numbers of all sizes."""
    generator = np.random.default_rng(size)
    for values in (generator.integers(0, 50, (size, 3)), np.exp(20 * generator.standard_normal((size, 3)))):
        values = values.astype(np.float32)
        found = float(jax.jit(lambda x: _quantile(x, q))(jnp.asarray(values)))
        assert found == pytest.approx(np.quantile(values.astype(float), q), rel=1e-6)


def test_a_nan_is_larger_than_any_number():
    values = jnp.array([1.0, jnp.nan, 2.0, 3.0])
    assert _quantile(values, 1 / 3) == 2
    assert jnp.isnan(_quantile(values, 1.0))


def test_a_step_sorts_nothing():
    params = {"w": jnp.ones((8, 16))}
    optimizer = root()
    step = jax.jit(optimizer.update).lower(params, optimizer.init(params), params).compile()
    assert " sort(" not in step.as_text()


def test_the_fitted_coefficients_are_compiled_in():
    params = jnp.ones((128, 128)) + jnp.eye(128)
    moves = []
    for coefficients in ("published", "fitted"):
        optimizer = root(1.0, weight_decay=0.0, coefficients=coefficients)
        moves.append(jax.jit(optimizer.update)(params, optimizer.init(params), params)[0])
    assert jnp.max(jnp.abs(moves[0] - moves[1])) > 0.1 * jnp.max(jnp.abs(moves[0]))
