"""The rules that project on singular vectors: when these are computed, and what is kept."""

import math

import pytest
import torch

from alphaadam.torch.baselines import Conda, GaLore, _conda, _galore
from tests.implementations.torch.training import draw

MODULES = {Conda: _conda, GaLore: _galore}
both = pytest.mark.parametrize("optimizer_class", [Conda, GaLore])


def make(optimizer_class, *shapes, **settings):
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(draw(shape, torch.float32, generator)) for shape in shapes]
    return parameters, optimizer_class(parameters, **settings)


def step(parameters, optimizer, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = draw(parameter.shape, parameter.dtype, generator)
    optimizer.step()


@both
def test_singular_vectors_are_computed_in_the_steps_that_refresh_alone(optimizer_class, monkeypatch):
    module, calls = MODULES[optimizer_class], []
    compute = module.singular_vectors
    monkeypatch.setattr(module, "singular_vectors", lambda *args: calls.append(number) or compute(*args))
    parameters, optimizer = make(optimizer_class, (3, 4), (4, 3), (5,), update_proj_gap=3)
    for number in range(1, 9):
        step(parameters, optimizer, number)
    assert calls == [1, 1, 4, 4, 7, 7]


@both
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)], ids=["wide", "tall", "square"])
def test_the_basis_is_orthonormal_on_the_smaller_side(optimizer_class, shape):
    (parameter,), optimizer = make(optimizer_class, shape)
    step([parameter], optimizer, 0)
    basis = optimizer.state[parameter]["basis"]
    assert basis.shape == (min(shape),) * 2
    torch.testing.assert_close(basis.mT @ basis, torch.eye(min(shape)), rtol=0, atol=1e-6)


def bytes_of(optimizer):
    return sum(x.nbytes for state in optimizer.state.values() for key, x in state.items() if key != "step")


@pytest.mark.parametrize("shape", [(32, 64), (64, 32)], ids=["wide", "tall"])
def test_state_is_as_small_as_the_rank(shape):
    parameters, optimizer = make(GaLore, shape, rank=4)
    step(parameters, optimizer, 0)
    assert bytes_of(optimizer) == 4 * 4 * (32 + 2 * 64)
    parameters, optimizer = make(Conda, shape)
    step(parameters, optimizer, 0)
    assert bytes_of(optimizer) == 4 * (2 * math.prod(shape) + 32**2)


@both
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("number", [1, 2, 3], ids=["first-basis", "old-basis", "new-basis"])
def test_a_gradient_that_is_not_finite_shows(optimizer_class, bad, number):
    """In the steps that decompose too, which LAPACK would refuse."""
    (parameter,), optimizer = make(optimizer_class, (3, 5), update_proj_gap=2)
    for seed in range(1, number):
        step([parameter], optimizer, seed)
    parameter.grad = torch.ones_like(parameter)
    parameter.grad[1, 2] = bad
    optimizer.step()
    assert parameter[:, 2].isnan().all()


@both
def test_a_matrix_without_gradient_from_the_start_stays(optimizer_class):
    (parameter,), optimizer = make(optimizer_class, (3, 5))
    before = parameter.detach().clone()
    parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.equal(parameter, before)


@both
def test_a_first_gradient_of_zeros_fixes_no_basis(optimizer_class):
    parameter = torch.nn.Parameter(torch.ones(3, 6))
    made = optimizer_class([parameter], lr=0.1, weight_decay=0.0)
    parameter.grad = torch.zeros(3, 6)
    made.step()
    assert not made.state[parameter]["basis"].any()
    parameter.grad = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    made.step()
    assert made.state[parameter]["basis"].any()
    assert (parameter != 1).all()
