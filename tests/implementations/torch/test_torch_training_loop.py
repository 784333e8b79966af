"""What training loops do with an optimizer: groups, schedulers, closures, hooks, checkpoints, averages."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

from alphaadam.torch import AlphaAdam
from tests.implementations.torch.training import (
    VARIANTS,
    assert_identical,
    make_loss,
    make_model,
    make_parameters,
    set_gradients,
    snapshot,
    train,
    train_model,
)

#: Name -> a function from an optimizer to a scheduler.
SCHEDULERS = {
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=12),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=True),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, 9)], milestones=[3]
    ),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.8**step),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.5, 4), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "SWALR": lambda o: swa_utils.SWALR(o, swa_lr=0.001, anneal_epochs=5),
}


def groups_of(model, **options):
    """Weights with decay, biases without, as language models are trained."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": weights, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0, **options}]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_writes_what_the_next_step_reads(name, variant):
    """Beside it, an optimizer with two groups whose hyperparameters are written by hand."""
    model, by_hand = make_model(), make_model()
    optimizer = AlphaAdam(groups_of(model, masking="sync"), lr=0.05, **VARIANTS[variant])
    other = AlphaAdam(groups_of(by_hand, masking="sync"), lr=123.0, **VARIANTS[variant])
    scheduler = SCHEDULERS[name](optimizer)
    seen = set()
    for step in range(8):
        for group, copied in zip(optimizer.param_groups, other.param_groups, strict=True):
            copied.update(lr=float(group["lr"]), betas=tuple(map(float, group["betas"])))
            seen.add((copied["lr"], copied["betas"]))
        train_model(model, optimizer, step, step + 1)
        train_model(by_hand, other, step, step + 1)
        scheduler.step()
    assert len({lr for lr, _ in seen}) > 2
    assert (len({betas for _, betas in seen}) > 2) == (name in ("OneCycleLR", "CyclicLR"))
    assert_identical(list(model.parameters()), list(by_hand.parameters()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_plateau_lowers_the_rate(variant):
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters, lr=0.5, **VARIANTS[variant])
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    for _ in range(3):
        train(optimizer, parameters, 0, 1)
        scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] == 0.125


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lr_dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_tensor_as_learning_rate_is_the_float_that_it_holds(variant, lr_dtype, shape):
    lr = torch.full(shape, 0.01, dtype=lr_dtype)
    ours, theirs = make_parameters(), make_parameters()
    train(AlphaAdam(ours, lr=lr, weight_decay=0.3, **VARIANTS[variant]), ours, 0, 4)
    train(AlphaAdam(theirs, lr=lr.item(), weight_decay=0.3, **VARIANTS[variant]), theirs, 0, 4)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("options", [{"foreach": False}, {"foreach": True}])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_tensor_as_learning_rate_is_not_rounded_where_a_graph_could_read_it(options, shape):
    """In float64: a product in float32 would be off by 1e-8 of the decay and of the update."""
    ours, theirs = make_parameters(torch.float64), make_parameters(torch.float64)
    lr = torch.full(shape, 0.01)
    train(AlphaAdam(ours, lr=lr, weight_decay=0.3, capturable=True, **options), ours, 0, 4)
    train(AlphaAdam(theirs, lr=lr.item(), weight_decay=0.3, **options), theirs, 0, 4)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("variant", VARIANTS)
def test_maximizing_is_minimizing_the_negative(variant):
    ours, theirs = make_parameters(), make_parameters()
    up = AlphaAdam(ours, maximize=True, **VARIANTS[variant])
    down = AlphaAdam(theirs, **VARIANTS[variant])
    for step in range(4):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        given = [None if p.grad is None else p.grad.clone() for p in ours]
        for p in theirs:
            p.grad = None if p.grad is None else -p.grad
        up.step()
        down.step()
        assert_identical([p.grad for p in ours], given)
    assert_identical(snapshot(up), snapshot(down))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_closure_runs_once_a_step_with_gradients(variant):
    model, without = make_model(), make_model()
    optimizer, other = (
        AlphaAdam(model.parameters(), **VARIANTS[variant]),
        AlphaAdam(without.parameters(), **VARIANTS[variant]),
    )
    losses = []
    for step in range(3):

        def closure(step=step):
            optimizer.zero_grad()
            losses.append(make_loss(model, step))
            losses[-1].backward()
            return losses[-1]

        with torch.no_grad():
            assert optimizer.step(closure) is losses[-1]
        train_model(without, other, step, step + 1)
    assert len(losses) == 3
    assert_identical(snapshot(optimizer), snapshot(other))


def test_hooks_see_the_step_and_the_state():
    model = make_model()
    optimizer = AlphaAdam(model.parameters())
    calls = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append(("before", len(o.state))))
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(("after", len(o.state))))
    train_model(model, optimizer, 0, 2)
    assert calls == [("before", 0), ("after", 4), ("before", 4), ("after", 4)]

    def add_note(_, state_dict):
        return {**state_dict, "note": "ours"}

    def check_note(_, state_dict):
        calls.append(state_dict["note"])
        state_dict["param_groups"][0]["lr"] = 0.25
        return state_dict

    optimizer.register_state_dict_pre_hook(lambda o: calls.append("saving"))
    optimizer.register_state_dict_post_hook(add_note)
    fresh = AlphaAdam(make_model().parameters())
    fresh.register_load_state_dict_pre_hook(check_note)
    fresh.register_load_state_dict_post_hook(lambda o: calls.append(o.param_groups[0]["lr"]))
    fresh.load_state_dict(optimizer.state_dict())
    assert calls[4:] == ["saving", "ours", 0.25]


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_optimizer_for_each_parameter_steps_during_backward(variant):
    model, expected = make_model(), make_model()
    optimizers = {p: AlphaAdam([p], **VARIANTS[variant]) for p in model.parameters()}

    def step(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    together = AlphaAdam(expected.parameters(), **VARIANTS[variant])
    for number in range(3):
        make_loss(model, number).backward()
        assert all(p.grad is None for p in model.parameters())
        train_model(expected, together, number, number + 1)
    assert_identical([p.detach() for p in model.parameters()], [p.detach() for p in expected.parameters()])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_group_added_in_mid_training_starts_at_its_own_first_step(variant):
    """A fine-tuned layer is unfrozen: each group goes on as if it were alone."""
    first, second = make_parameters(), make_parameters(torch.float64)
    optimizer = AlphaAdam(first, lr=0.1, **VARIANTS[variant])
    train(optimizer, first, 0, 3)
    optimizer.add_param_group({"params": second, "lr": 0.01, "betas": (0.5, 0.9), "alpha": "count"})
    for step in range(3, 6):
        set_gradients(first, step)
        set_gradients(second, step)
        optimizer.step()

    alone, late = make_parameters(), make_parameters(torch.float64)
    train(AlphaAdam(alone, lr=0.1, **VARIANTS[variant]), alone, 0, 6)
    train(AlphaAdam(late, lr=0.01, betas=(0.5, 0.9), alpha="count", **VARIANTS[variant]), late, 3, 6)
    assert_identical([p.detach() for p in first + second], [p.detach() for p in alone + late])


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_has_no_gradient_does_not_move_and_what_has_a_zero_gradient_does(variant):
    frozen, absent, zero = make_parameters(shapes=[(3,)] * 3)
    frozen.requires_grad_(False)
    optimizer = AlphaAdam([frozen, absent, zero], **VARIANTS[variant])
    before = [p.detach().clone() for p in (frozen, absent, zero)]
    for set_to_none in (True, False):
        (absent.sum() + zero.sum()).backward()
        optimizer.zero_grad(set_to_none=set_to_none)
        assert (zero.grad is None) == set_to_none
        absent.grad = None
        zero.grad = torch.zeros(3)
        optimizer.step()
    assert_identical([frozen.detach(), absent.detach()], before[:2])
    assert set(optimizer.state) == {zero}
    torch.testing.assert_close(zero.detach(), before[2] * (1 - 1e-3 * 0.01) ** 2)  # decay alone


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_whole_run_resumes_bit_for_bit_from_a_file(variant):
    """Optimizer, scheduler and groups, through torch.save and the safe torch.load."""

    def make():
        model = make_model()
        optimizer = AlphaAdam(groups_of(model, alpha="count"), lr=0.05, **VARIANTS[variant])
        return model, optimizer, SCHEDULERS["OneCycleLR"](optimizer)

    def run(model, optimizer, scheduler, first, last):
        for step in range(first, last):
            train_model(model, optimizer, step, step + 1)
            scheduler.step()

    model, optimizer, scheduler = make()
    run(model, optimizer, scheduler, 0, 4)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in (model, optimizer, scheduler)], file)
    run(model, optimizer, scheduler, 4, 8)

    file.seek(0)
    resumed = make()
    for part, saved in zip(resumed, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(saved)
    run(*resumed, 4, 8)
    assert_identical(snapshot(resumed[1]), snapshot(optimizer))
    assert resumed[1].param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_copies_continue_alike_and_apart(variant, clone):
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters, lr=0.01, **VARIANTS[variant])
    train(optimizer, parameters, 0, 2)
    others, other = clone((parameters, optimizer))
    before = snapshot(optimizer)
    train(other, others, 2, 4)
    assert_identical(snapshot(optimizer), before)
    train(optimizer, parameters, 2, 4)
    assert_identical(snapshot(other), snapshot(optimizer))


@pytest.mark.parametrize("variant", VARIANTS)
def test_averaged_models_follow(variant):
    model, expected = make_model(), make_model()
    optimizer = AlphaAdam(model.parameters(), lr=0.05, **VARIANTS[variant])
    ema = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
    mean = swa_utils.AveragedModel(model)
    seen = []
    for step in range(3):
        train_model(model, optimizer, step, step + 1)
        ema.update_parameters(model)
        mean.update_parameters(model)
        seen.append([p.detach().clone() for p in model.parameters()])
    train_model(expected, AlphaAdam(expected.parameters(), lr=0.05, **VARIANTS[variant]), 0, 3)
    assert_identical(list(model.parameters()), list(expected.parameters()))  # averaging changed nothing
    for index, (averaged, mid) in enumerate(zip(ema.parameters(), mean.parameters(), strict=True)):
        first, second, third = (each[index] for each in seen)
        torch.testing.assert_close(averaged.detach(), 0.25 * first + 0.25 * second + 0.5 * third)
        torch.testing.assert_close(mid.detach(), (first + second + third) / 3)


@pytest.mark.skipif(not hasattr(torch.optim, "swap_in_optimizer_params_and_state"), reason="this PyTorch lacks it")
@pytest.mark.parametrize("variant", VARIANTS)
def test_other_parameters_and_another_state_can_be_swapped_in_for_a_step(variant):
    model, other = make_model(), make_model()
    optimizer = AlphaAdam(model.parameters(), **VARIANTS[variant])
    train_model(model, optimizer, 0, 2)
    other.load_state_dict(model.state_dict())
    state = copy.deepcopy(optimizer.state_dict())
    before = snapshot(optimizer)
    make_loss(other, 2).backward()
    with torch.optim.swap_in_optimizer_params_and_state(optimizer, dict(other.named_parameters()), state):
        optimizer.step()
    assert_identical(snapshot(optimizer), before)
    train_model(model, optimizer, 2, 3)
    assert_identical([p.detach() for p in other.parameters()], [p.detach() for p in model.parameters()])
    assert_identical(state["state"], optimizer.state_dict()["state"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_named_parameters_keep_their_names_in_the_state(variant):
    model = make_model()
    optimizer = AlphaAdam(model.named_parameters(), **VARIANTS[variant])
    train_model(model, optimizer, 0, 1)
    names = [name for name, _ in model.named_parameters()]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == names
    fresh = AlphaAdam(make_model().named_parameters(), **VARIANTS[variant])
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.param_groups[0]["param_names"] == names


@pytest.mark.parametrize("variant", VARIANTS)
def test_clipping_and_accumulating_gradients(variant):
    """Two half batches are one batch up to rounding, and clipped gradients are those that the step reads."""
    model, whole = make_model(), make_model()
    optimizer, other = (AlphaAdam(m.parameters(), lr=0.01, **VARIANTS[variant]) for m in (model, whole))
    for step in range(3):
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        for part in inputs.chunk(2):
            (model(part).square().mean() / 2).backward()
        whole(inputs).square().mean().backward()
        for m, o in ((model, optimizer), (whole, other)):
            nn.utils.clip_grad_norm_(m.parameters(), 0.01)
            o.step()
            o.zero_grad()
    for (p, state), (q, expected) in zip(snapshot(optimizer), snapshot(other), strict=True):
        torch.testing.assert_close(state["exp_avg"], expected["exp_avg"], rtol=1e-4, atol=1e-8)
        assert state["exp_avg"].norm() <= 0.01
        del p, q
