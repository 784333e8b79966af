"""What every baseline keeps to in its steps as a PyTorch optimizer, whatever its rule."""

import contextlib

import pytest
import torch
from torch import nn

from suite.adapters.torch_baselines import arguments
from tests.implementations import readme
from tests.implementations.baselines import matrix_rules, of, settings
from tests.implementations.torch.baselines import make, parameters_of, trained, values
from tests.implementations.torch.training import (
    assert_identical,
    draw,
    make_loss,
    make_model,
    make_parameters,
    set_gradients,
    snapshot,
    train,
    train_model,
)

every = pytest.mark.parametrize("name", of("torch"))


# Parameters, groups and gradients


@every
def test_named_parameters_and_groups_are_stepped_each_by_its_own_settings(name):
    parameters, others = parameters_of(), parameters_of()
    groups = [
        {"params": [(f"p{i}", parameter) for i, parameter in enumerate(parameters) if i % 2 == half], **setting}
        for half, setting in enumerate([{"lr": 0.02}, {"weight_decay": 0.5}])
    ]
    optimizer = make(name, groups)
    alone = [make(name, others[0::2], lr=0.02), make(name, others[1::2], weight_decay=0.5)]
    for step in range(6):
        set_gradients(parameters, step)
        set_gradients(others, step)
        for each in (optimizer, *alone):
            each.step()
    assert_identical(values(parameters), values(others))
    assert [group["param_names"] for group in optimizer.state_dict()["param_groups"]] == [
        ["p0", "p2", "p4"],
        ["p1", "p3"],
    ]


@every
def test_parameters_that_come_later_begin_with_their_first_step(name):
    parameters, others = parameters_of(), parameters_of()
    optimizer, early, late = make(name, parameters[:2]), make(name, others[:2]), make(name, others[2:])
    for step in range(6):
        set_gradients(parameters, step)
        set_gradients(others, step)
        if step == 3:
            optimizer.add_param_group({"params": parameters[2:]})
        optimizer.step()
        early.step()
        if step >= 3:
            late.step()
    assert_identical(values(parameters), values(others))


@every
def test_a_tensor_without_gradient_keeps_value_and_state(name):
    optimizer, parameters = trained(name, 3)
    before = snapshot(optimizer)
    for parameter in parameters[::2]:
        parameter.grad = None
    optimizer.step()
    after = snapshot(optimizer)
    assert_identical(after[::2], before[::2])
    assert all((a[0] != b[0]).any() for a, b in zip(after[1::2], before[1::2], strict=True))
    fresh = make(name, parameters_of())
    fresh.step()
    assert not fresh.state


@every
def test_maximizing_is_minimizing_with_negated_gradients(name):
    (ascending, up), (descending, down) = ((make(name, p, maximize=m), p) for p, m in zip_parameters(True, False))
    for step in range(6):
        set_gradients(up, step)
        set_gradients(down, step)
        for parameter in up:
            if parameter.grad is not None:
                parameter.grad.neg_()
        ascending.step()
        descending.step()
    assert_identical(snapshot(ascending), snapshot(descending))


def zip_parameters(*each):
    return [(parameters_of(), item) for item in each]


@every
def test_a_closure_is_called_once_with_gradients_enabled_and_its_loss_returned(name):
    parameters = parameters_of()
    optimizer, calls = make(name, parameters), []

    def closure():
        optimizer.zero_grad()
        loss = sum(parameter.square().sum() for parameter in parameters)
        loss.backward()
        calls.append(loss)
        return loss

    before = values(parameters)
    with torch.no_grad():
        assert optimizer.step(closure) is calls[0]
    assert len(calls) == 1
    assert all((a != b).any() for a, b in zip(values(parameters), before, strict=True))


@every
def test_a_step_leaves_gradients_alone_and_keeps_no_hold_of_them(name):
    """Training loops write the next gradients into the same memory."""
    optimizer, parameters = trained(name, 1)
    set_gradients(parameters, 0)
    before = [parameter.grad.clone() for parameter in parameters]
    optimizer.step()
    assert_identical([parameter.grad for parameter in parameters], before)
    after = snapshot(optimizer)
    for parameter in parameters:
        parameter.grad.fill_(7.0)
    assert_identical(snapshot(optimizer), after)


@every
def test_a_sparse_gradient_is_an_error_that_names_the_remedy(name):
    embedding = nn.Embedding(4, 2, sparse=True)
    optimizer = make(name, embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    before = embedding.weight.detach().clone()
    with pytest.raises(RuntimeError, match=rf"^{name}: .*sparse_coo.*\(4, 2\).*sparse=False"):
        optimizer.step()
    assert_identical(embedding.weight.detach(), before)


@every
@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn])
def test_a_dtype_without_a_rule_is_an_error(name, dtype):
    parameter = nn.Parameter(torch.ones(3, 2).to(dtype))
    message = rf"^{name}: .*\(3, 2\) is {dtype}, which is not supported\. Pass float32"
    with pytest.raises(TypeError, match=message):
        make(name, [parameter])
    optimizer = make(name, parameters_of())
    with pytest.raises(TypeError, match=message):
        optimizer.add_param_group({"params": [parameter]})
    assert len(optimizer.param_groups) == 1


@every
def test_a_parameter_that_is_a_view_moves_as_one_that_is_not(name):
    """In float64, since the order of a sum may follow the layout."""
    plain = parameters_of(torch.float64)
    views = []
    for parameter in plain:
        wide = torch.zeros(*parameter.shape, 2, dtype=torch.float64)
        wide[..., 0] = parameter.detach()
        views.append(nn.Parameter(wide[..., 0].T if parameter.ndim == 2 else wide[..., 0]))
    plain = [nn.Parameter(p.detach().T.contiguous()) if p.ndim == 2 else p for p in plain]
    train(make(name, plain), plain, 0, 6)
    train(make(name, views), views, 0, 6)
    torch.testing.assert_close(values(views), values(plain), rtol=1e-9, atol=1e-9)


@every
def test_a_tensor_without_elements_harms_nobody(name):
    parameters = make_parameters(shapes=[(4, 6), (0,)])
    optimizer = make(name, parameters)
    for step in range(0, 6, 2):
        train(optimizer, parameters, step, step + 1)
    alone = make_parameters(shapes=[(4, 6)])
    other = make(name, alone)
    for step in range(0, 6, 2):
        train(other, alone, step, step + 1)
    assert_identical(values(parameters[:1]), values(alone))


@every
@pytest.mark.parametrize("step", [0, 2])
def test_a_gradient_that_is_not_a_number_shows(name, step):
    """In the parameter, or at once as the error of a decomposition."""
    optimizer, parameters = trained(name, step)
    for parameter in parameters:
        set_gradients(parameters, step)
        for other in parameters:
            if other is not parameter:
                other.grad = None
        parameter.grad.view(-1)[0] = torch.nan
        with contextlib.suppress(torch.linalg.LinAlgError):
            optimizer.step()
            assert parameter.isnan().any(), tuple(parameter.shape)


@pytest.mark.parametrize("name", matrix_rules("torch"))
def test_what_a_rule_for_matrices_leaves_over_gets_adamw(name):
    """Tensors that are no matrices, and groups with ``adamw=True``."""
    parameters, others = parameters_of(torch.float64), parameters_of(torch.float64)
    rest = [number for number, parameter in enumerate(parameters) if parameter.ndim != 2]
    given = arguments(settings(name))
    adamw = torch.optim.AdamW(
        others,
        given["lr"],
        betas=given["adamw_betas"],
        eps=given["adamw_eps"],
        weight_decay=given["weight_decay"],
    )
    left = [{"params": [parameters[0]], "adamw": True}, {"params": parameters[1:]}]
    train(make(name, left), parameters, 0, 6)
    train(adamw, others, 0, 6)
    for number in (0, *rest):
        torch.testing.assert_close(parameters[number], others[number], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(parameters[1], others[1], rtol=1e-3)


# Precision


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_a_float32_step_rounded_once(name, dtype):
    narrow = parameters_of(dtype)
    wide = [nn.Parameter(parameter.detach().float()) for parameter in narrow]
    optimizer, other = make(name, narrow), make(name, wide)
    for step in range(6):
        set_gradients(narrow, step)
        for parameter, double in zip(narrow, wide, strict=True):
            double.grad = None if parameter.grad is None else parameter.grad.float()
        optimizer.step()
        other.step()
        with torch.no_grad():
            for double in wide:
                double.copy_(double.to(dtype))
        assert_identical([parameter.detach().float() for parameter in narrow], values(wide))
    assert_identical([optimizer.state[p] for p in narrow], [other.state[p] for p in wide])


@every
def test_a_gradient_scaler_changes_nothing_but_skips_what_overflows(name):
    parameters, others = parameters_of(), parameters_of()
    optimizer, other = make(name, parameters), make(name, others)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    for step in range(4):
        overflow = step == 2
        generator = torch.Generator().manual_seed(step)
        optimizer.zero_grad()
        loss = torch.zeros(())
        for parameter, twin in zip(parameters, others, strict=True):
            twin.grad = draw(parameter.shape, torch.float32, generator)
            loss = loss + (parameter * twin.grad).sum()
        scaler.scale(loss).backward()
        if overflow:
            parameters[0].grad[0, 0] = torch.inf
        else:
            other.step()
        scaler.step(optimizer)
        scaler.update()
    assert_identical(snapshot(optimizer), snapshot(other))


# Training


@every
def test_a_small_model_learns(name):
    model = make_model()
    optimizer = make(name, model.parameters())

    def loss():
        with torch.no_grad():
            return sum(make_loss(model, batch).item() for batch in range(4))

    before = loss()
    for _ in range(10):
        train_model(model, optimizer, 0, 4)
    assert loss() < before


@pytest.mark.parametrize(("page", "block"), readme.baseline_blocks("torch"))
def test_the_examples_of_the_pages_run(page, block):
    readme.run(block, page)
