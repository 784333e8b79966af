"""8-bit Adam for Optax: what it keeps, and how near what comes back is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.optax.baselines import adam_8bit
from alphaadam.optax.baselines._blockwise import dequantized, quantized


@pytest.mark.parametrize("book", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("block_size", [7, 256])
def test_every_code_is_the_nearest(book, block_size):
    """Against a search among all values, but for numbers that lie between two within rounding."""
    rng = np.random.default_rng(0)
    x = (10 ** rng.uniform(-8, 2, (70, 33)) * (rng.choice((-1, 1), (70, 33)) if book.zero else 1)).astype(np.float32)
    x.reshape(-1)[::100] = 0
    codes, largest = jax.jit(quantized, static_argnums=(1, 2))(x, book, block_size)
    assert codes.dtype == jnp.uint8
    scale = np.repeat(np.asarray(largest), block_size)[: x.size].reshape(x.shape)
    fraction = x / scale
    values = np.asarray(book.values, np.float32)
    distance = np.abs(fraction[..., None] - values)
    chosen = np.take_along_axis(distance, np.asarray(codes)[..., None].astype(int), -1)[..., 0]
    assert (chosen <= distance.min(-1) + 2e-6 * np.abs(fraction)).all()
    np.testing.assert_allclose(dequantized(codes, largest, book, block_size), values[np.asarray(codes)] * scale, 1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_state_has_two_bytes_per_parameter_and_a_scale_for_each_block(dtype):
    params = jnp.ones((256, 64), dtype)
    slots = adam_8bit().init(params).slots
    assert sum(x.nbytes for x in jax.tree.leaves(slots)) == 2.03125 * params.size


def test_leaves_may_keep_their_moments_as_they_are():
    params = {"embedding": jnp.ones((64, 64)), "kernel": jnp.ones((64, 64)), "bias": jnp.ones(64)}
    chosen = {"embedding": False, "kernel": True, "bias": True}
    for quantize in (chosen, lambda params: chosen):
        slots = adam_8bit(quantize=quantize).init(params).slots
        assert {key: slot["mu"].dtype for key, slot in slots.items()} == {
            "embedding": jnp.float32,
            "kernel": jnp.uint8,
            "bias": jnp.float32,
        }


def test_without_quantisation_it_is_adamw():
    params = others = jnp.linspace(-1, 1, 40)
    ours, theirs = adam_8bit(0.1), optax.adamw(0.1, weight_decay=0.01)
    state, other = ours.init(params), theirs.init(params)
    for step in range(5):
        gradient = jnp.sin(jnp.arange(40.0) + step)
        updates, state = ours.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        updates, other = theirs.update(gradient, other, others)
        others = optax.apply_updates(others, updates)
    np.testing.assert_allclose(params, others, rtol=0, atol=1e-5)  # Optax' bias correction is 1e-5 off at first
