"""The rule as XLA for CPUs wants it: what it computes is the rule, and what XLA makes of it copies nothing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam._jax import _rule, _xla_cpu
from alphaadam.optax import alphaadam

#: One for each way to form groups, with and without padding.
SHAPES = [(), (3,), (16,), (3, 7), (5, 512), (2, 16, 5), (3, 3, 4, 24)]
SETTINGS = {"b1": 0.9, "b2": 0.99, "eps": 1e-8}


def draw(shape, dtype, seed=0):
    """A gradient and moments, some of them 0, with about half of the signs against one another."""
    rng = np.random.default_rng(seed)
    g, m, v = (rng.normal(size=shape) * scale for scale in (1.0, 0.1, 0.1))
    m = np.where(rng.uniform(size=shape) < 0.1, 0, m)
    return [jnp.asarray(x, dtype) for x in (g, m, np.abs(v))]


def step(module, arrays, masking, alpha):
    compiled = jax.jit(lambda g, m, v: module.update_tensor(g, m, v, jnp.int32(3), **SETTINGS, **rule(masking, alpha)))
    return compiled(*arrays)


def rule(masking, alpha):
    return {"masking": masking, "alpha": alpha, "alpha_max": None}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("masking", "alpha"), [("async", "norm"), ("async", "count"), ("async", 1.5), ("sync", "norm")]
)
def test_it_is_the_rule(shape, masking, alpha):
    arrays = draw(shape, jnp.float32)
    update, m, v, strength, mask = step(_xla_cpu, arrays, masking, alpha)
    wanted_update, *wanted_moments, wanted_strength, wanted_mask = step(_rule, arrays, masking, alpha)
    np.testing.assert_array_equal(mask, wanted_mask)
    # XLA joins products and sums into one operation in one program and not in the other: an ulp of the moments, of a
    # sum of squares a few, and of what is made of them.
    for actual, expected in zip((m, v), wanted_moments, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=2 * 1.2e-7 * 3)  # below 3 in magnitude
    np.testing.assert_allclose(strength, wanted_strength, rtol=8 * 1.2e-7)
    np.testing.assert_allclose(update, wanted_update, rtol=0, atol=8 * 1.2e-7 * float(jnp.max(jnp.abs(wanted_update))))


@pytest.mark.parametrize(("module", "rounding"), [(_rule, 1e-6), (_xla_cpu, 5e-5)], ids=["rule", "xla_cpu"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_steps_from_the_moments_as_they_are_stored(dtype, module, rounding):
    """Their norms, too, except that the other arrangement may round a moment to the next number when it measures.

    Each of these changes alpha by 2^-9 of the element's share, 1e-5 of 64 * 4 in bfloat16.
    """
    g, m, v = draw((4, 64), dtype)
    update, new_m, new_v, strength, mask = step(module, (g, m, v), "async", "norm")
    assert update.dtype == jnp.float32
    u = np.asarray(_rule.direction(new_m, new_v, jnp.int32(3), **SETTINGS, dtype=jnp.float32), np.float64)
    squares = u * u
    np.testing.assert_allclose(strength, np.sqrt(squares.sum() / squares[np.asarray(mask)].sum()), rtol=rounding)
    expected = float(strength) * u * np.asarray(mask)
    np.testing.assert_allclose(update, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("alpha", ["norm", "count", 1.5])
@pytest.mark.parametrize("shape", [(3, 7), (2, 512)], ids=str)
def test_a_nan_that_is_masked_stays_loud(shape, alpha):
    g, m, v = draw(shape, jnp.float32)
    m, v = m.at[0, 0].set(-1.0), v.at[0, 0].set(jnp.nan)
    g = g.at[0, 0].set(1.0)
    update, *_, mask = step(_xla_cpu, (g, m, v), "async", alpha)
    assert not mask[0, 0]
    assert np.isnan(update[0, 0])
    assert np.isnan(update).all() == (alpha == "norm")


def test_alpha_of_many_elements_is_summed_accurately():
    """One sum in sequence of 2^24 squares would be 1e-3 off, and of ever more elements stand still."""
    arrays = draw((2**12, 2**12), jnp.float32)
    _, m, v, strength, mask = step(_xla_cpu, arrays, "async", "norm")
    u = np.asarray(_rule.direction(m, v, jnp.int32(3), **SETTINGS, dtype=jnp.float32), np.float64)
    squares, mask = u * u, np.asarray(mask)
    np.testing.assert_allclose(strength, np.sqrt(squares.sum() / squares[mask].sum()), rtol=5e-7)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((512, 768), jnp.float32), ((512, 100), jnp.float32), ((512, 768), jnp.bfloat16)]
)
def test_no_moment_is_copied_and_no_root_stored(shape, dtype):
    """What the arrangement is for. The straightforward rule stores a copy of the moments and u, 8 bytes per element."""
    optimizer = alphaadam(1e-3)
    params = [jnp.ones(shape, dtype)] * 3

    def train_step(params, state, gradients):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(train_step, donate_argnums=(0, 1)).lower(params, optimizer.init(params), params).compile()
    sizes = re.escape(f"[{shape[0]},{shape[1]}]")
    assert not re.search(rf"= \w+{sizes}\S* copy\(", compiled.as_text())
    # A byte and a bit, twice that in half precision, where the groups are half as long.
    limit = 1.25 if dtype == jnp.float32 else 2.5
    assert compiled.memory_analysis().temp_size_in_bytes < limit * sum(leaf.size for leaf in params) + 4096
