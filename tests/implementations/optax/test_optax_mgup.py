"""alphaadam.optax.baselines.mgup: exactly as many coordinates as asked for, the right ones, among many that tie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alphaadam.optax.baselines import mgup
from tests.implementations import selection


def stepped(gradients, tau, beta=0.0):
    """The updates of parameters that stay at 0."""
    lr, b1, b2, *others = selection.WITHOUT_MEMORY
    assert (lr, b1, b2) == ("lr", "beta1", "beta2")
    optimizer = mgup(1.0, beta, beta, tau=tau, **{name: selection.WITHOUT_MEMORY[name] for name in others})
    params = jnp.zeros(gradients[0].shape)
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    moves = []
    for gradient in gradients:
        move, state = update(jnp.asarray(gradient), state, params)
        moves.append(np.asarray(move))
    return moves


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9, 1.0])
def test_of_equal_products_the_first_are_selected_and_no_more(tau):
    gradient = selection.gradients_with_ties()
    np.testing.assert_allclose(stepped([gradient], tau)[0], selection.expected_move(gradient, tau), rtol=1e-6)


@pytest.mark.parametrize("tau", [0.02, 0.5, 0.98])
def test_products_of_both_signs_are_ordered(tau):
    first, second = selection.gradients_that_turn()
    moves = stepped([first, second], tau, 0.5)[1]
    m, v = 0.25 * first + 0.5 * second, 0.25 * first**2 + 0.5 * second**2
    u = m / np.sqrt(v) * np.sqrt(0.75) / 0.75
    np.testing.assert_allclose(moves / -u, selection.expected_factors(first, second, tau), rtol=1e-3)


@pytest.mark.parametrize("tau", [0.5, None])
def test_a_nan_gradient_shows_where_it_is(tau):
    gradient = selection.gradients_with_ties(16)
    gradient[3] = np.nan
    (move,) = stepped([gradient], tau)
    assert np.isnan(move).tolist() == [index == 3 for index in range(16)]


def test_nothing_is_sorted():
    """XLA's sort of a million elements takes tens of times as long as counting."""
    optimizer, params = mgup(), jnp.zeros(64)
    program = jax.jit(optimizer.update).lower(params, optimizer.init(params), params).as_text()
    assert "sort" not in program
    assert "top_k" not in program
