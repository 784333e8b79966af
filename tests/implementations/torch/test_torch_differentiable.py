"""Autograd through a step: with respect to the learning rate, the gradient, the parameter and the state."""

import pytest
import torch

from alphaadam.torch import AlphaAdam
from tests.implementations.torch.training import make_parameters, train

#: Away from where a mask changes, a step is smooth under every rule.
RULES = [
    {"masking": masking, "alpha": alpha}
    for masking in ("async", "sync", "none")
    for alpha in ("norm", "count", 0.75)
    if masking != "none" or alpha == 0.75
]
NAMES = ("lr", "gradient", "parameter", "exp_avg", "exp_avg_sq")


def make_inputs():
    """Moments and gradients far enough from 0 that gradcheck's differences change no sign, of both signs together."""
    gradient = torch.tensor([0.4, -0.7, 1.3, -0.2, 0.9], dtype=torch.float64)
    exp_avg = torch.tensor([0.3, -0.5, -0.4, 0.6, 0.2], dtype=torch.float64)
    exp_avg_sq = torch.tensor([0.2, 0.5, 0.3, 0.4, 0.1], dtype=torch.float64)
    parameter = torch.tensor([1.0, -2.0, 0.5, 0.1, -0.3], dtype=torch.float64)
    values = (torch.tensor(0.1, dtype=torch.float64), gradient, parameter, exp_avg, exp_avg_sq)
    return [value.requires_grad_() for value in values]


def step(lr, gradient, parameter, exp_avg, exp_avg_sq, *, options):
    """What a step makes of its inputs; as PyTorch tests its own optimizers, the parameter is a clone."""
    parameter = parameter.clone()
    parameter.grad = gradient
    optimizer = AlphaAdam([parameter.detach()], lr=lr, weight_decay=0.1, differentiable=True, **options)
    optimizer.param_groups[0]["params"] = [parameter]  # the constructor takes leaves only
    state = optimizer.state[parameter]
    state.update(step=torch.tensor(3.0), exp_avg=exp_avg.clone(), exp_avg_sq=exp_avg_sq.clone())
    optimizer.step()
    return parameter, state["exp_avg"], state["exp_avg_sq"]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_recorded_derivatives_are_the_numerical_ones(rule, maximize):
    inputs = make_inputs()
    options = {**rule, "maximize": maximize}
    assert torch.autograd.gradcheck(lambda *values: step(*values, options=options), inputs)
    moved = step(*inputs, options=options)[0]
    for name, derivative in zip(NAMES, torch.autograd.grad(moved.sum(), inputs), strict=True):
        assert derivative.any(), name


@pytest.mark.parametrize("alpha", ["norm", "count"])
def test_derivatives_are_finite_where_everything_is_masked(alpha):
    lr, _, *others = make_inputs()
    inputs = [lr, (-others[1].detach()).requires_grad_(), *others]
    moved = step(*inputs, options={"alpha": alpha})[0]
    for name, derivative in zip(NAMES, torch.autograd.grad(moved.sum(), inputs), strict=True):
        assert derivative.isfinite().all(), name


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_differentiable_step_is_the_plain_one(rule):
    ours, theirs = make_parameters(torch.float64), make_parameters(torch.float64)
    recorded, plain = AlphaAdam(ours, lr=0.01, **rule), AlphaAdam(theirs, lr=0.01, foreach=False, **rule)
    recorded.param_groups[0]["differentiable"] = True
    with torch.no_grad():
        train(recorded, ours, 0, 4)
    train(plain, theirs, 0, 4)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


def test_a_learning_rate_is_learned_through_several_steps():
    """The derivative of a loss after three steps with respect to their rate."""

    def loss_after(lr):
        parameter = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
        moving = parameter.clone()
        optimizer = AlphaAdam([parameter], lr=lr, differentiable=True)
        optimizer.param_groups[0]["params"] = [moving]
        for number in range(3):
            target = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64) * (-1) ** number
            loss = ((moving - target) ** 2).sum()
            (moving.grad,) = torch.autograd.grad(loss, moving, create_graph=True)
            optimizer.step()
        return (moving**2).sum()

    lr = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss_after, [lr])
    assert torch.autograd.grad(loss_after(lr), lr)[0] != 0


def test_without_differentiable_nothing_is_recorded():
    for options in ({"foreach": False}, {"foreach": True}, {"fused": True}):
        parameters = make_parameters()
        optimizer = AlphaAdam(parameters, **options)
        train(optimizer, parameters, 0, 2)
        assert all(p.is_leaf and p.requires_grad for p in parameters)
        assert not any(t.requires_grad for s in optimizer.state.values() for t in s.values())
