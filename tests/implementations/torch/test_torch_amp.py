"""Mixed precision: gradient scaling, autocast, half-precision parameters."""

import copy
import itertools

import pytest
import torch
from torch import nn

from alphaadam.torch import AlphaAdam
from tests.implementations.torch.training import (
    SHARED,
    VARIANTS,
    assert_identical,
    draw,
    make_batch,
    make_loss,
    make_model,
    make_parameters,
    snapshot,
    train,
)


def make_scaler(scale=2.0**16):
    return torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1000)


def train_scaled(optimizer, parameters, scaler, seed, dtype=torch.float32, *, bad=None):
    """One step whose gradients are random numbers times the scale; in odd steps the second tensor has none."""
    generator = torch.Generator().manual_seed(1000 + seed)
    optimizer.zero_grad()
    loss = torch.zeros(())
    for index, parameter in enumerate(parameters):
        values = draw(parameter.shape, dtype, generator)
        if index != 1 or not seed % 2:
            loss = loss + (parameter * values).sum()
    scaler.scale(loss).backward()
    if bad is not None:
        parameters[0].grad.view(-1)[0] = bad
    scaler.step(optimizer)
    scaler.update()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_a_gradient_that_is_not_finite_skips_the_step_and_lowers_the_scale(variant, bad):
    parameters = make_parameters()
    optimizer, scaler = AlphaAdam(parameters, **VARIANTS[variant]), make_scaler()
    train_scaled(optimizer, parameters, scaler, 0)
    before = snapshot(optimizer)
    train_scaled(optimizer, parameters, scaler, 1, bad=bad)
    assert_identical(snapshot(optimizer), before)
    assert scaler.get_scale() == 2.0**15
    train_scaled(optimizer, parameters, scaler, 2)
    assert optimizer.state[parameters[0]]["step"] == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_first_step_that_is_skipped_leaves_no_trace(variant):
    ours, theirs = make_parameters(), make_parameters()
    optimizer, other = (AlphaAdam(p, **VARIANTS[variant]) for p in (ours, theirs))
    scaler = make_scaler()
    train_scaled(optimizer, ours, scaler, 0, bad=torch.inf)
    assert_identical([p.detach() for p in ours], [p.detach() for p in theirs])
    train_scaled(optimizer, ours, scaler, 0)
    train_scaled(other, theirs, make_scaler(), 0)
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize(
    ("variant", "dtype"),
    [
        *itertools.product(VARIANTS, (torch.float32, torch.bfloat16)),
        ("fused", torch.float16),  # the scaler itself refuses to unscale float16 gradients
    ],
)
def test_a_scale_that_is_a_power_of_two_changes_no_bit(variant, dtype):
    """Tensors that one thread takes and such that are shared, and one that the kernels cannot address."""

    def make():
        parameters = make_parameters(dtype, [(3, 4), (5,), (), (SHARED,)])
        return [*parameters, nn.Parameter(make_parameters(dtype, [(4, 6)])[0].detach()[:, ::2])]

    ours, theirs = make(), make()
    optimizer, other = (AlphaAdam(p, lr=0.1, **VARIANTS[variant]) for p in (ours, theirs))
    scaler, unit = make_scaler(2.0**4), torch.amp.GradScaler("cpu", enabled=False)
    for seed in range(3):
        train_scaled(optimizer, ours, scaler, seed, dtype)
        train_scaled(other, theirs, unit, seed, dtype)
        # As PyTorch's fused optimizers do, the step leaves gradients without the scale.
        assert_identical([p.grad for p in ours], [p.grad for p in theirs])
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_only_the_fused_path_unscales_by_itself(dtype):
    """Bit for bit what the scaler does by itself, for a scale whose reciprocal is rounded."""
    ours, theirs = make_parameters(dtype), make_parameters(dtype)
    fused, plain = AlphaAdam(ours, fused=True), AlphaAdam(theirs)  # the same kernels
    scaler, other = make_scaler(1000.0), make_scaler(1000.0)
    for seed in range(3):
        train_scaled(fused, ours, scaler, seed, dtype)
        train_scaled(plain, theirs, other, seed, dtype)
        assert_identical([p.grad for p in ours], [p.grad for p in theirs])
    assert_identical(snapshot(fused), snapshot(plain))
    assert fused._step_supports_amp_scaling
    assert not hasattr(plain, "_step_supports_amp_scaling")
    assert copy.deepcopy(fused)._step_supports_amp_scaling


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_unscaled_and_clipped_before_the_step_are_not_unscaled_again(variant):
    model, expected = make_model(), make_model()
    optimizer, other = (AlphaAdam(m.parameters(), lr=0.1, **VARIANTS[variant]) for m in (model, expected))
    scaler = make_scaler()
    for step in range(3):
        optimizer.zero_grad()
        scaler.scale(make_loss(model, step)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()

        other.zero_grad()
        make_loss(expected, step).backward()
        nn.utils.clip_grad_norm_(expected.parameters(), 0.1)
        other.step()
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_trains_float32_parameters(variant, dtype):
    model = make_model()
    optimizer, scaler = AlphaAdam(model.parameters(), lr=0.05, **VARIANTS[variant]), make_scaler(2.0**8)
    inputs, labels = make_batch(0)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert {t.dtype for p, s in snapshot(optimizer) for t in (p, *s.values())} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.complex64, torch.complex128])
@pytest.mark.parametrize("variant", ["foreach", "fused", "default"])
def test_half_precision_and_complex_parameters_are_the_plain_loops(variant, dtype):
    """The variants may round an operation differently, which is at most the last bit of what is stored."""
    ours, theirs = make_parameters(dtype), make_parameters(dtype)
    optimizer = AlphaAdam(ours, lr=0.1, **VARIANTS[variant])
    other = AlphaAdam(theirs, lr=0.1, foreach=False)
    train(optimizer, ours, 0, 4)
    train(other, theirs, 0, 4)
    for (p, state), (q, expected) in zip(snapshot(optimizer), snapshot(other), strict=True):
        rtol = 1e-5 if dtype.is_complex else 2 * torch.finfo(dtype).eps
        torch.testing.assert_close(p, q, rtol=rtol, atol=1e-6)
        torch.testing.assert_close(state, expected, rtol=rtol, atol=1e-6)
        assert p.dtype == state["exp_avg"].dtype == state["exp_avg_sq"].dtype == dtype


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bfloat16_model_learns(variant):
    model = make_model().bfloat16()
    optimizer = AlphaAdam(model.parameters(), lr=0.05, **VARIANTS[variant])
    inputs, labels = make_batch(0)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs.bfloat16()), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
