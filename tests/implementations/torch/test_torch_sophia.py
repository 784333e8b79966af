"""Sophia in PyTorch: what the estimators estimate, and how the optimizer is given it."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from alphaadam.torch.baselines import Sophia, gauss_newton_bartlett, hutchinson
from tests.implementations import curvature

X, LABELS = torch.from_numpy(curvature.X), torch.from_numpy(curvature.LABELS)


def parameters():
    return [torch.nn.Parameter(torch.from_numpy(values.copy())) for values in (curvature.WEIGHT, curvature.BIAS)]


def logits(weight, bias):
    return X @ weight.square() + bias


def loss(weight, bias):
    return functional.cross_entropy(logits(weight, bias), LABELS)


ESTIMATORS = {
    "hutchinson": (hutchinson, loss, curvature.hessian_diagonal),
    "gauss_newton_bartlett": (gauss_newton_bartlett, logits, curvature.gauss_newton_diagonal),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_of_estimates_is_the_diagonal(name):
    estimator, function, exact = ESTIMATORS[name]
    params, generator = parameters(), torch.Generator().manual_seed(1)
    found = [estimator(lambda: function(*params), params, generator=generator) for _ in range(2000)]
    curvature.check_mean([torch.stack([e[p] for e in found]).numpy() for p in params], exact())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimate_leaves_no_trace(name):
    estimator, function, _ = ESTIMATORS[name]
    params = parameters()
    before = copy.deepcopy(params)
    with torch.no_grad():  # where a training loop calls it does not matter
        found = estimator(lambda: function(*params), params)
    assert all(p.grad is None for p in params)
    assert all(torch.equal(p, old) for p, old in zip(params, before, strict=True))
    assert not any(estimate.requires_grad for estimate in found.values())


def test_what_the_loss_does_not_depend_on_has_no_estimate_and_what_is_linear_in_it_no_curvature():
    used, linear, unused = (torch.nn.Parameter(torch.tensor([1.0, 2.0])) for _ in range(3))
    found = hutchinson(lambda: (used**3 + linear).sum(), [used, linear, unused])
    assert found.keys() == {used, linear}
    assert found[linear].tolist() == [0, 0]
    assert hutchinson(lambda: linear.sum(), [linear, unused])[linear].tolist() == [0, 0]


def test_half_precision_is_squared_in_float32():
    """The square of 2**-15 is 0 in float16."""
    x = torch.nn.Parameter(torch.zeros(2, dtype=torch.float16))
    estimate = gauss_newton_bartlett(lambda: x * 2.0**-14, [x])[x]
    assert estimate.dtype == torch.float32
    torch.testing.assert_close(estimate, torch.full((2,), 2.0**-30))


def test_attention_is_differentiated_twice():
    """PyTorch's default on a CPU has no second derivative."""
    query = torch.nn.Parameter(torch.randn(1, 2, 8, 4, generator=torch.Generator().manual_seed(0)))

    def squared():
        return functional.scaled_dot_product_attention(query, query, query, is_causal=True).square().sum()

    assert hutchinson(squared, [query])[query].isfinite().all()


def test_an_estimate_counts_in_the_next_step_whatever_the_order_of_the_groups():
    weight, bias = parameters()
    optimizer = Sophia([{"params": [bias]}, {"params": [weight]}], lr=1.0, betas=(0.0, 0.5), gamma=2.0)
    before = weight.detach().clone()
    optimizer.update_hessian({weight: torch.full_like(weight, 8.0), bias: torch.zeros_like(bias)})
    weight.grad, bias.grad = torch.full_like(weight, 2.0), torch.full_like(bias, 1e-3)
    start = bias.detach().clone()
    optimizer.step()
    torch.testing.assert_close(before - weight, torch.full_like(weight, 2 / (2 * 4)))
    torch.testing.assert_close(start - bias, torch.ones_like(bias))


def test_maximizing_negates_the_estimate_too():
    losses = []
    for maximize in (False, True):
        x = torch.nn.Parameter(torch.tensor([1.0, -3.0]))
        optimizer = Sophia([x], lr=0.1, gamma=1.0, maximize=maximize)
        for _ in range(5):
            value = -x.square().sum() if maximize else x.square().sum()
            (x.grad,) = torch.autograd.grad(value, x)
            optimizer.update_hessian(hutchinson(lambda x=x, s=maximize: (1 - 2 * s) * x.square().sum(), [x]))
            optimizer.step()
        losses.append(x.detach())
    torch.testing.assert_close(*losses, rtol=0, atol=0.2)
    assert losses[1].abs().max() < 3


def test_estimates_that_do_not_belong_are_refused_and_change_nothing():
    weight, bias = parameters()
    optimizer = Sophia([weight])
    with pytest.raises(ValueError, match=r"Sophia: an estimate is for a tensor of shape \(4,\) that is no parameter"):
        optimizer.update_hessian({weight: torch.ones_like(weight), bias: torch.ones_like(bias)})
    with pytest.raises(ValueError, match=r"Sophia: an estimate has shape \(4,\), its parameter \(3, 4\)"):
        optimizer.update_hessian({weight: torch.ones(4)})
    assert not optimizer.state


def test_averages_resume_bit_by_bit():
    def steps(optimizer, weight, numbers):
        for number in numbers:
            generator = torch.Generator().manual_seed(number)
            if number % 2 == 0:
                optimizer.update_hessian({weight: torch.rand(3, 4, generator=generator)})
            weight.grad = torch.randn(3, 4, generator=generator)
            optimizer.step()

    weight, _ = parameters()
    optimizer = Sophia([weight], lr=0.01, gamma=20.0)
    steps(optimizer, weight, range(3))
    resumed = torch.nn.Parameter(weight.detach().clone())
    other = Sophia([resumed])
    other.load_state_dict(optimizer.state_dict())
    steps(optimizer, weight, range(3, 6))
    steps(other, resumed, range(3, 6))
    assert torch.equal(weight, resumed)


def test_a_nan_estimate_shows():
    weight, _ = parameters()
    optimizer = Sophia([weight])
    estimate = torch.ones_like(weight)
    estimate[1, 2] = np.nan
    optimizer.update_hessian({weight: estimate})
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert weight.isnan().nonzero().tolist() == [[1, 2]]


def test_estimates_leave_frozen_parameters_out():
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    x = torch.ones(4, 3)
    assert set(hutchinson(lambda: model(x).square().sum(), model.parameters())) == {model.weight}
    assert set(gauss_newton_bartlett(lambda: model(x), model.parameters())) == {model.weight}
