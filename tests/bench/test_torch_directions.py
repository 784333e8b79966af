"""Tests of gradient correlation and directional sharpness, against an explicit Hessian and finite differences."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bench.frameworks.torch import GPT2  # noqa: E402 - it needs torch
from bench.frameworks.torch_directions import Directions, directions  # noqa: E402
from bench.tasks import GPT2Config  # noqa: E402
from tests.bench.comparing import TASK  # noqa: E402


def quadratic():
    """f = ½ xᵀAx + bᵀx in two tensors, with what is known of it."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    a, b = a + a.T, torch.randn(5, generator=generator, dtype=torch.float64)

    def loss(parameters):
        x = torch.cat([parameters["first"], parameters["second"].flatten()])
        return 0.5 * x @ a @ x + b @ x

    x, d = (torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(2))
    split = lambda v: {"first": v[:2], "second": v[2:].reshape(3, 1)}  # noqa: E731
    return loss, split(x), split(d), a, a @ x + b, d


def test_both_are_what_algebra_says_of_a_quadratic():
    loss, at, step, hessian, gradient, d = quadratic()
    found = directions(loss, at, step)
    v = d / d.norm()
    assert found["directionalSharpness"] == pytest.approx((v @ hessian @ v).item(), rel=1e-12)
    assert found["gradientCorrelation"] == pytest.approx((-gradient @ v / gradient.norm()).item(), rel=1e-12)
    assert found["batchGradientNorm"] == pytest.approx(gradient.norm().item(), rel=1e-12)


def test_a_step_of_gradient_descent_has_correlation_one_and_length_does_not_matter():
    loss, at, _, _, gradient, _ = quadratic()
    step = {"first": -gradient[:2], "second": -gradient[2:].reshape(3, 1)}
    assert directions(loss, at, step)["gradientCorrelation"] == pytest.approx(1)
    short = {name: value / 100 for name, value in step.items()}
    assert directions(loss, at, short) == pytest.approx(directions(loss, at, step))


def test_a_step_of_length_zero_has_no_direction():
    loss, at, step, *_ = quadratic()
    found = directions(loss, at, {name: torch.zeros_like(value) for name, value in step.items()})
    assert np.isnan(found["directionalSharpness"])
    assert np.isfinite(found["batchGradientNorm"])


@pytest.fixture
def model():
    """A GPT-2 in float64, so that differences of its loss are exact enough."""
    from dataclasses import replace

    from bench.tasks.inputs import make_inputs

    config = GPT2Config(layers=1, width=8, heads=2, context=6, vocabulary=256)
    task = replace(TASK, model=config)
    return GPT2(config, make_inputs(task).initial_parameters).double(), make_inputs(task).training_batch(0)


def test_sharpness_and_correlation_of_a_gpt2_agree_with_finite_differences(model):
    model, tokens = model
    measured = Directions(model, tokens)
    measured.before()
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.01 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    step = {name: p.detach() - start[name] for name, p in model.named_parameters()}
    moved = {name: p.detach().clone() for name, p in model.named_parameters()}
    found = measured.after()
    length = torch.cat([d.flatten() for d in step.values()]).norm()

    def loss(distance):
        return measured._loss({name: start[name] + distance * step[name] / length for name in start}).item()

    # Central differences: errors of h² and, of rounding, 1e-16/h² · the loss: 1e-8 each at h = 1e-4.
    h = 1e-4
    second = (loss(h) - 2 * loss(0) + loss(-h)) / h**2
    first = (loss(h) - loss(-h)) / (2 * h)
    assert found["directionalSharpness"] == pytest.approx(second, rel=1e-4)
    assert found["gradientCorrelation"] * found["batchGradientNorm"] == pytest.approx(-first, rel=1e-6)
    assert all(torch.equal(p, moved[name]) for name, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())
