"""What is special in MicroAdam: what it keeps, and in how many bytes."""

import pytest
import torch

from alphaadam.torch.baselines import MicroAdam


def bytes_kept(optimizer, parameter):
    state = optimizer.state[parameter]
    return sum(x.untyped_storage().nbytes() for key, x in state.items() if key != "step")


@pytest.mark.parametrize(("shape", "most"), [((256, 1024), 0.903), ((50257,), 0.91), ((5000,), 0.94)])
def test_it_keeps_nine_tenths_of_a_byte_for_each_parameter(shape, most):
    parameter = torch.nn.Parameter(torch.zeros(shape))
    optimizer = MicroAdam([parameter])
    for _ in range(2):
        parameter.grad = torch.randn(shape)
        optimizer.step()
    assert 0.9 < bytes_kept(optimizer, parameter) / parameter.numel() < most


def test_the_largest_block_has_places_that_sixteen_bits_hold():
    parameter = torch.nn.Parameter(torch.zeros(32768))
    optimizer = MicroAdam([parameter], lr=1.0, density=1e-5, block_size=32768)
    parameter.grad = torch.zeros(32768).index_fill(0, torch.tensor([32767]), 1.0)
    optimizer.step()
    assert parameter[32767].item() == pytest.approx(-1)
    assert parameter[:32767].count_nonzero() == 0


def test_no_more_than_the_kept_elements_move():
    parameter = torch.nn.Parameter(torch.zeros(10000))
    optimizer = MicroAdam([parameter], lr=1.0)
    for step in range(1, 13):
        parameter.grad = torch.randn(10000)
        before = parameter.detach().clone()
        optimizer.step()
        assert (parameter != before).sum() <= 102 * min(step, 10)  # three blocks of 3334, and 34 of each


def test_what_was_left_comes_back():
    """A gradient that is never among the largest moves its parameter at last, since it adds up."""
    parameter = torch.nn.Parameter(torch.zeros(16))
    optimizer = MicroAdam([parameter], lr=1.0, density=0.05)
    gradient = torch.full((16,), 0.25)
    gradient[0] = 1.0
    for _ in range(40):
        parameter.grad = gradient
        optimizer.step()
    assert (parameter < 0).all()


def test_the_error_is_what_was_not_kept_to_half_a_step():
    parameter = torch.nn.Parameter(torch.zeros(101))
    optimizer = MicroAdam([parameter], density=0.1)
    gradient = torch.randn(101)
    parameter.grad = gradient
    optimizer.step()
    state = optimizer.state[parameter]
    codes = torch.stack((state["codes"] & 15, state["codes"] >> 4), 1).flatten()[:101]
    error = codes * state["spacing"].item() + state["low"].item()
    rest = gradient.scatter(0, state["places"][0, 0].long(), 0.0)
    assert (error - rest).abs().max() <= state["spacing"].item() * 0.501
    assert state["values"][0].count_nonzero() == 11
