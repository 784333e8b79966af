"""alphaadam.keras.baselines.MGUP: exactly as many coordinates as asked for, the right ones, among many that tie."""

import keras
import numpy as np
import pytest

from alphaadam.keras.baselines import MGUP
from tests.implementations import selection


def stepped(gradients, tau, beta=0.0):
    """What each step adds to a variable that starts at 0."""
    given = selection.WITHOUT_MEMORY
    optimizer = MGUP(given["lr"], beta, beta, given["eps"], tau=tau, alpha=given["alpha"], gamma=given["gamma"])
    variable = keras.Variable(np.zeros(gradients[0].shape, np.float32))
    moves = []
    for gradient in gradients:
        before = keras.ops.convert_to_numpy(variable).copy()
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        moves.append(keras.ops.convert_to_numpy(variable) - before)
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


def test_it_trains_a_compiled_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(optimizer=MGUP(learning_rate=0.01), loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    losses = model.fit(x, x.sum(axis=1, keepdims=True), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
