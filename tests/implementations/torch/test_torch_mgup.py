"""alphaadam.torch.baselines.MGUP: exactly as many coordinates as asked for, the right ones, among many that tie."""

import numpy as np
import pytest
import torch

from alphaadam.torch.baselines import MGUP
from tests.implementations import selection


def stepped(gradients, tau, betas=(0.0, 0.0)):
    """What each step adds to a parameter that starts at 0."""
    others = {name: value for name, value in selection.WITHOUT_MEMORY.items() if "beta" not in name}
    parameter = torch.nn.Parameter(torch.zeros(gradients[0].shape))
    optimizer = MGUP([parameter], betas=betas, tau=tau, **others)
    moves = []
    for gradient in gradients:
        before = parameter.detach().clone()
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
        moves.append((parameter.detach() - before).numpy())
    return moves


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.9, 1.0])
def test_of_equal_products_the_first_are_selected_and_no_more(tau):
    gradient = selection.gradients_with_ties()
    np.testing.assert_allclose(stepped([gradient], tau)[0], selection.expected_move(gradient, tau), rtol=1e-6)


@pytest.mark.parametrize("tau", [0.02, 0.5, 0.98])
def test_products_of_both_signs_are_ordered(tau):
    first, second = selection.gradients_that_turn()
    moves = stepped([first, second], tau, (0.5, 0.5))[1]
    m, v = 0.25 * first + 0.5 * second, 0.25 * first**2 + 0.5 * second**2
    u = m / np.sqrt(v) * np.sqrt(0.75) / 0.75
    np.testing.assert_allclose(moves / -u, selection.expected_factors(first, second, tau), rtol=1e-3)


def test_rows_are_counted_in_the_order_of_the_tensor_not_of_its_memory():
    gradient = selection.gradients_with_ties(96).reshape(8, 12)
    turned = torch.nn.Parameter(torch.zeros(12, 8).t())
    others = {name: value for name, value in selection.WITHOUT_MEMORY.items() if "beta" not in name}
    optimizer = MGUP([turned], betas=(0.0, 0.0), **others)
    turned.grad = torch.from_numpy(gradient)
    optimizer.step()
    wanted = selection.expected_move(gradient.ravel(), 0.5).reshape(8, 12)
    np.testing.assert_allclose(turned.detach().numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("tau", [0.5, None])
def test_a_nan_gradient_shows_where_it_is(tau):
    gradient = selection.gradients_with_ties(16)
    gradient[3] = np.nan
    (move,) = stepped([gradient], tau)
    assert np.isnan(move).tolist() == [index == 3 for index in range(16)]
