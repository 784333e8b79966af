"""What is special about Adan: its form of weight decay, and AlphaAdam's mask around it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import alpha_mask
from alphaadam.optax.baselines import adan, exadam
from tests.implementations.optax.training import ROUNDING, assert_same_run, gradients_like, make_params, train_new


def test_the_proximal_decay_touches_what_the_mask_says():
    params = make_params()
    gradients, mask = gradients_like(params, 0), {"w": True, "b": False}

    def moved(**arguments):
        optimizer = adan(0.125, **arguments)
        return optax.apply_updates(params, optimizer.update(gradients, optimizer.init(params), params)[0])

    plain, decayed = moved(), moved(weight_decay=2.0, mask=mask)
    expected = {"w": plain["w"] / 1.25, "b": plain["b"]}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=ROUNDING), decayed, expected)


def test_the_mask_around_it_goes_by_its_average_of_gradients():
    optimizer = alpha_mask(adan(0.125, 0.75, 0.5, 0.5), record_diagnostics=True)
    params = jnp.zeros(3)
    state = optimizer.init(params)
    for gradient, mask in (([1.0, 1.0, 0.0], [True] * 3), ([-0.5, 0.5, 1.0], [False, True, True])):
        updates, state = optimizer.update(jnp.array(gradient), state, params)
        params = optax.apply_updates(params, updates)
        assert state.mask.tolist() == mask
    assert state.alpha > 1


@pytest.mark.parametrize("make", [adan, exadam])
def test_the_mask_finds_the_momentum_of_a_baseline_among_what_else_it_keeps(make):
    """Of each leaf, in nested containers; and decay is no part of what is masked."""
    params = make_params()
    for decay in ({}, {"weight_decay": 0.5}):
        masked, state = train_new(alpha_mask(make(0.01, **decay), masking="none", alpha=1.0), params, 3)
        assert_same_run((masked, state), train_new(make(0.01, **decay), params, 3))
    _, recorded = train_new(alpha_mask(make(0.01), record_diagnostics=True), params, 3)
    assert not all(leaf.all() for leaf in jax.tree.leaves(recorded.mask))


def test_masked_coordinates_decay():
    params = jnp.ones(2)
    optimizer = alpha_mask(adan(0.125, weight_decay=2.0, no_prox=True))
    _, state = optimizer.update(jnp.ones(2), optimizer.init(params), params)
    updates, _ = optimizer.update(jnp.array([-0.25, 1.0]), state, params)
    np.testing.assert_allclose(updates[0], -0.25, rtol=1e-6)  # the gradient turned, the average did not
    assert updates[1] < -0.25
