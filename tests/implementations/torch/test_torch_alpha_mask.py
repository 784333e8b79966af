"""What users of AlphaMask rely on beyond the rule itself, which the vectors check around SGD and Lion."""

import copy
import io
import pickle
import weakref

import pytest
import torch
from lion_pytorch import Lion
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from alphaadam.torch import AlphaAdam, AlphaMask
from tests.implementations.torch import training
from tests.implementations.torch.training import SHAPES, assert_identical, set_gradients, train

#: Name -> a function from parameters to an inner optimizer.
INNER = {
    "SGD": lambda p, **o: torch.optim.SGD(p, lr=0.1, momentum=0.9, **o),
    "SGD with dampening": lambda p, **o: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5, **o),
    "SGD with Nesterov": lambda p, **o: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, **o),
    "SGD foreach": lambda p, **o: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=True, **o),
    "SGD fused": lambda p, **o: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True, **o),
    "Lion": lambda p, **o: Lion(p, lr=0.01, **o),
    "Adam": lambda p, **o: torch.optim.Adam(p, lr=0.01, **o),
    "AdamW": lambda p, **o: torch.optim.AdamW(p, **{"lr": 0.01, "weight_decay": 0.0, **o}),
    "NAdam": lambda p, **o: torch.optim.NAdam(p, lr=0.01, **o),
    "RAdam": lambda p, **o: torch.optim.RAdam(p, lr=0.01, **o),
    "Adamax": lambda p, **o: torch.optim.Adamax(p, lr=0.01, **o),
    "RMSprop": lambda p, **o: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, **o),
    "Muon": lambda p, **o: torch.optim.Muon(p, **{"lr": 0.01, "weight_decay": 0.0, **o}),
}
AS_INNER = {"masking": "none", "alpha": 1.0}


def make_parameters(name="SGD", dtype=torch.float32):
    return training.make_parameters(dtype, [(3, 4), (4, 2)] if name == "Muon" else SHAPES)


def one(values, gradient=None):
    parameter = torch.nn.Parameter(torch.tensor(values))
    parameter.grad = None if gradient is None else torch.tensor(gradient)
    return parameter


@pytest.mark.parametrize("name", INNER)
def test_without_masking_it_is_the_inner_optimizer_bit_for_bit(name):
    ours, theirs = make_parameters(name), make_parameters(name)
    train(AlphaMask(INNER[name](ours), **AS_INNER), ours, 0, 8)
    train(INNER[name](theirs), theirs, 0, 8)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("name", INNER)
def test_the_first_step_has_no_history_and_is_the_inner_optimizers(name):
    ours, theirs = make_parameters(name), make_parameters(name)
    train(AlphaMask(INNER[name](ours)), ours, 0, 1)
    train(INNER[name](theirs), theirs, 0, 1)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("masking", ["async", "sync"])
@pytest.mark.parametrize("alpha", ["norm", "count", 0.75])
@pytest.mark.parametrize("name", INNER)
def test_the_rule_around_every_optimizer(name, masking, alpha):
    """Step by step, with the inner optimizer run beside it on the same parameters and state, in float64."""
    ours = make_parameters(name, torch.float64)
    optimizer = AlphaMask(INNER[name](ours, weight_decay=0.5), masking=masking, alpha=alpha, record_diagnostics=True)
    lr = optimizer.param_groups[0]["lr"]
    for step in range(5):
        beside = [torch.nn.Parameter(p.detach().clone()) for p in ours]
        inner = INNER[name](beside, weight_decay=0.0)
        for p, q in zip(beside, ours, strict=True):
            if q in optimizer.state:
                inner.state[p] = copy.deepcopy(optimizer.state[q])
        old = [momentum(inner, p) for p in beside]
        set_gradients(ours, step)
        set_gradients(beside, step)
        before = [p.detach().clone() for p in ours]
        optimizer.step()
        inner.step()
        for p, theta, moved, old_m in zip(ours, before, beside, old, strict=True):
            if p.grad is None:
                assert torch.equal(p, theta)
                continue
            u = (theta - moved.detach()) / lr
            m = old_m if masking == "async" else momentum(inner, moved)
            mask = m * p.grad > 0
            mask |= (m == 0) & (masking == "async")
            strength = alpha
            if alpha == "count":
                strength = min(p.numel() / max(mask.sum().item(), 1e-9), 1000.0) if p.numel() else 1.0
            elif alpha == "norm":
                kept = (mask * u).norm()
                strength = 1.0 if u.norm() == 0 else min(u.norm() / kept if kept else 2.0, 2.0)
            expected = (1 - lr * 0.5) * theta - lr * strength * (mask * u)
            assert torch.equal(optimizer.diagnostics[p].mask, mask)
            torch.testing.assert_close(p.detach(), expected, rtol=1e-12, atol=1e-14)


def momentum(optimizer, parameter):
    state = optimizer.state.get(parameter, {})
    found = state.get("momentum_buffer", state.get("exp_avg"))
    return torch.zeros_like(parameter) if found is None else found.clone()


@pytest.mark.parametrize("masking", ["async", "sync"])
def test_around_adam_it_is_alphaadam_up_to_rounding(masking):
    ours, theirs = make_parameters(dtype=torch.float64), make_parameters(dtype=torch.float64)
    inner = torch.optim.Adam(ours, lr=0.01, weight_decay=0.1)  # Adam's own would be coupled
    train(AlphaMask(inner, masking=masking), ours, 0, 8)
    train(AlphaAdam(theirs, lr=0.01, weight_decay=0.1, masking=masking), theirs, 0, 8)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Lion", "Muon"])
def test_decay_is_decoupled_whatever_the_inner_optimizer_makes_of_it(name):
    ours, theirs = make_parameters(name, torch.float64), make_parameters(name, torch.float64)
    optimizer, inner = AlphaMask(INNER[name](ours, weight_decay=0.5), **AS_INNER), INNER[name](theirs, weight_decay=0.0)
    lr = inner.param_groups[0]["lr"]
    for step in range(4):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step()
        decays = [lr * 0.5 * p.detach() if p.grad is not None else 0 for p in theirs]
        inner.step()
        for p, decay in zip(theirs, decays, strict=True):
            p.data -= decay
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


def test_the_decay_comes_back_when_the_inner_step_fails():
    parameter = one([1.0], [1.0])
    inner = torch.optim.SGD([parameter], momentum=0.9, weight_decay=0.25)

    def fail():
        raise KeyboardInterrupt

    optimizer = AlphaMask(inner)
    inner.step = fail
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert inner.param_groups[0]["weight_decay"] == 0.25


def test_groups_and_state_are_the_inner_optimizers_before_and_after_loading():
    parameters = make_parameters()
    inner = INNER["SGD"](parameters)
    optimizer = AlphaMask(inner)
    train(optimizer, parameters, 0, 2)
    for load in (optimizer.load_state_dict, inner.load_state_dict):
        load(copy.deepcopy(optimizer.state_dict()))
        assert optimizer.param_groups is inner.param_groups
        assert optimizer.state is inner.state
    train(optimizer, parameters, 2, 3)
    assert {key for state in optimizer.state.values() for key in state} == {"momentum_buffer"}


@pytest.mark.parametrize("attach_to", [lambda o: o, lambda o: o.optimizer])
def test_schedulers_of_the_rate_and_of_the_momentum_work_on_either(attach_to):
    parameter = one([1.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], lr=0.1, momentum=0.9))
    scheduler = OneCycleLR(attach_to(optimizer), max_lr=0.5, total_steps=10)
    seen = set()
    for _ in range(5):
        parameter.grad = torch.ones(1)
        before = parameter.item()
        optimizer.step()
        group = optimizer.param_groups[0]
        assert before - parameter.item() == pytest.approx(group["lr"] * optimizer.state[parameter]["momentum_buffer"])
        seen.add((group["lr"], group["momentum"]))
        scheduler.step()
    assert len(seen) == 5


def test_a_rate_of_zero_moves_nothing():
    parameters = make_parameters()
    optimizer = AlphaMask(torch.optim.SGD(parameters, lr=0.0, momentum=0.9, weight_decay=0.5), record_diagnostics=True)
    before = copy.deepcopy(parameters)
    train(optimizer, parameters, 0, 3)
    assert_identical(parameters, before)
    assert {d.alpha.item() for d in optimizer.diagnostics.values()} == {1.0}


def test_a_tensor_as_learning_rate():
    ours, theirs = make_parameters(), make_parameters()
    train(AlphaMask(torch.optim.SGD(ours, lr=torch.tensor(0.125), momentum=0.9, weight_decay=0.1)), ours, 0, 3)
    train(AlphaMask(torch.optim.SGD(theirs, lr=0.125, momentum=0.9, weight_decay=0.1)), theirs, 0, 3)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("name", [name for name in INNER if name != "Muon"])
def test_a_saved_run_resumes_bit_for_bit(name):
    parameters = make_parameters(name)
    optimizer = AlphaMask(INNER[name](parameters), alpha="count", alpha_max=3.0)
    train(optimizer, parameters, 0, 4)
    file = io.BytesIO()
    torch.save({"parameters": [p.detach() for p in parameters], "optimizer": optimizer.state_dict()}, file)
    train(optimizer, parameters, 4, 8)

    file.seek(0)
    checkpoint = torch.load(file, weights_only=True)
    resumed = [torch.nn.Parameter(tensor) for tensor in checkpoint["parameters"]]
    fresh = AlphaMask(INNER[name](resumed))
    fresh.load_state_dict(checkpoint["optimizer"])
    train(fresh, resumed, 4, 8)
    assert_identical(resumed, parameters)


def test_a_checkpoint_of_the_bare_inner_optimizer_continues_and_goes_back():
    parameters = make_parameters()
    bare = INNER["SGD"](parameters, weight_decay=0.125)
    train(bare, parameters, 0, 3)

    inner = torch.optim.SGD(parameters, lr=1.0, momentum=0.5)
    ours = AlphaMask(inner, masking="sync", alpha="count", alpha_max=7.0)
    ours.load_state_dict(bare.state_dict())
    group = ours.param_groups[0]
    assert [group[key] for key in ("lr", "momentum", "weight_decay")] == [0.1, 0.9, 0.125]
    assert [group[key] for key in ("masking", "alpha", "alpha_max")] == ["sync", "count", 7.0]
    assert torch.equal(ours.state[parameters[0]]["momentum_buffer"], bare.state[parameters[0]]["momentum_buffer"])
    train(ours, parameters, 3, 5)

    back = torch.optim.SGD(parameters, lr=1.0, momentum=0.5)
    back.load_state_dict(ours.state_dict())
    expected = copy.deepcopy(parameters)
    continued = AlphaMask(INNER["SGD"](expected), **AS_INNER)
    continued.load_state_dict(
        {
            "state": copy.deepcopy(ours.state_dict()["state"]),
            "param_groups": continued.state_dict()["param_groups"],
        }
    )
    back.param_groups[0]["weight_decay"] = 0.0
    train(back, parameters, 5, 7)
    train(continued, expected, 5, 7)
    assert_identical(parameters, expected)


def test_a_bad_setting_in_a_checkpoint_changes_nothing():
    parameters = make_parameters()
    optimizer = AlphaMask(INNER["SGD"](parameters))
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0] |= {"masking": "asinc", "lr": 5.0}
    with pytest.raises(ValueError, match="masking='asinc'"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_copies_continue_alike(name, clone):
    parameters = make_parameters()
    optimizer = AlphaMask(INNER[name](parameters), masking="sync", record_diagnostics=True)
    LambdaLR(optimizer, lambda step: 1.0)  # wraps step, which must not travel
    train(optimizer, parameters, 0, 2)
    other, others = clone((optimizer, parameters))
    assert other.optimizer is not optimizer.optimizer
    assert other.record_diagnostics
    train(optimizer, parameters, 2, 4)
    train(other, others, 2, 4)
    assert_identical(others, parameters)


def test_groups_may_have_their_own_settings():
    first, second, third = one([1.0, 1.0]), one([1.0, 1.0]), one([1.0, 1.0])
    inner = torch.optim.SGD([{"params": [first], "masking": "none"}, {"params": [second]}], lr=0.1, momentum=0.9)
    optimizer = AlphaMask(inner, record_diagnostics=True)
    optimizer.add_param_group({"params": [third], "alpha": 1.5, "momentum": 0.5})
    inner.add_param_group({"params": [one([1.0])]})  # of the inner optimizer alone: gets the constructor's
    assert [group["masking"] for group in optimizer.param_groups[:3]] == ["none", "async", "async"]
    assert optimizer.param_groups[2]["momentum"] == 0.5
    for gradient in ([1.0, 1.0], [0.1, -0.1]):
        for parameter in (first, second, third):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
    assert optimizer.param_groups[3]["masking"] == "async"
    assert [optimizer.diagnostics[p].mask.tolist() for p in (first, second, third)] == [
        [True, True],
        [True, False],
        [True, False],
    ]
    assert optimizer.diagnostics[third].alpha.item() == 1.5
    with pytest.raises(ValueError, match=r"alpha_max=0\.5"):
        optimizer.add_param_group({"params": [one([1.0])], "alpha_max": 0.5})
    assert len(inner.param_groups) == 4


def test_an_inner_hyperparameter_called_alpha_is_left_alone():
    parameters = make_parameters()
    optimizer = AlphaMask(INNER["RMSprop"](parameters), alpha="count", record_diagnostics=True)
    assert optimizer.param_groups[0]["alpha"] == 0.99
    assert optimizer.param_groups[0]["mask_alpha"] == "count"
    optimizer.param_groups[0]["mask_alpha"] = 1.25
    train(optimizer, parameters, 0, 1)
    assert optimizer.diagnostics[parameters[0]].alpha.item() == 1.25


def test_a_closure_is_called_once_with_gradients_enabled():
    parameter = one([2.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], lr=0.25, momentum=0.5))
    calls = []

    def closure():
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert calls == [True]
    assert parameter.item() == 1.0
    optimizer.zero_grad()
    assert parameter.grad is None


def test_hooks_of_either_are_called():
    parameter = one([1.0], [1.0])
    inner = torch.optim.SGD([parameter], momentum=0.9)
    optimizer = AlphaMask(inner)
    seen = []

    def note(what):
        def hook(*arguments):
            assert arguments[0] in (optimizer, inner)
            seen.append(what)

        return hook

    for which, what in ((optimizer, "ours"), (inner, "inner")):
        which.register_step_pre_hook(note(f"{what} before"))
        which.register_step_post_hook(note(f"{what} after"))
        which.register_state_dict_pre_hook(note(f"{what} saving"))
        which.register_state_dict_post_hook(note(f"{what} saved"))
        which.register_load_state_dict_pre_hook(note(f"{what} loading"))
        which.register_load_state_dict_post_hook(note(f"{what} loaded"))
    optimizer.step()
    assert seen == ["ours before", "inner before", "inner after", "ours after"]
    seen.clear()
    optimizer.load_state_dict(optimizer.state_dict())
    order = ["ours saving", "inner saving", "inner saved", "ours saved"]
    assert seen == [*order, "ours loading", "inner loading", "inner loaded", "ours loaded"]


def test_maximize_masks_by_the_negated_gradient():
    """The momentum gathers negated gradients: minimizing the negated loss is the same."""
    ours, theirs = make_parameters(), make_parameters()
    up, down = AlphaMask(INNER["SGD"](ours, maximize=True)), AlphaMask(INNER["SGD"](theirs))
    for step in range(5):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        for parameter in theirs:
            parameter.grad = None if parameter.grad is None else -parameter.grad
        up.step()
        down.step()
    assert_identical(ours, theirs)


def test_complex_parameters_are_pairs_of_reals():
    complex_ones = make_parameters(dtype=torch.complex64)
    pairs = [torch.nn.Parameter(torch.view_as_real(p.detach()).clone()) for p in complex_ones]
    ours = AlphaMask(INNER["SGD"](complex_ones, weight_decay=0.1), record_diagnostics=True)
    reals = AlphaMask(INNER["SGD"](pairs, weight_decay=0.1))
    for step in range(4):
        set_gradients(complex_ones, step)
        for pair, parameter in zip(pairs, complex_ones, strict=True):
            pair.grad = None if parameter.grad is None else torch.view_as_real(parameter.grad)
        ours.step()
        reals.step()
    for parameter, pair in zip(complex_ones, pairs, strict=True):  # SGD multiplies complex numbers in its own way
        torch.testing.assert_close(torch.view_as_real(parameter.detach()), pair.detach())
    assert ours.diagnostics[complex_ones[0]].mask.shape == (3, 4, 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_from_the_rounded_move_and_rounded_once(dtype):
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=dtype))
    optimizer = AlphaMask(torch.optim.SGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.1), record_diagnostics=True)
    beside = torch.nn.Parameter(parameter.detach().clone())
    inner = torch.optim.SGD([beside], lr=0.1, momentum=0.9)
    m = torch.zeros(4)
    for gradient in ([1.0, 0.3, -0.7, 2.0], [-0.5, 0.1, -0.2, 1.0], [0.25, -1.0, 0.3, -1.5]):
        beside.grad = parameter.grad = torch.tensor(gradient, dtype=dtype)
        theta = parameter.detach().double()
        beside.data.copy_(parameter)
        inner.step()
        optimizer.step()
        delta = beside.detach().double() - theta
        mask = (m == 0) | (m * parameter.grad.float() > 0)
        alpha = min(delta.norm() / (mask * delta).norm(), 2)
        m = inner.state[beside]["momentum_buffer"].float()
        assert optimizer.diagnostics[parameter].alpha.item() == pytest.approx(float(alpha), rel=1e-12)
        assert torch.equal(parameter.detach(), (theta * (1 - 0.1 * 0.1) + alpha * mask * delta).to(dtype))
    assert optimizer.state[parameter]["momentum_buffer"].dtype == dtype


@pytest.mark.parametrize(("alpha", "spreads"), [("norm", True), ("count", False), (1.0, False)])
def test_a_nan_gradient_is_loud(alpha, spreads):
    parameter = one([1.0, 1.0, 1.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], momentum=0.9), alpha=alpha)
    for gradient in ([1.0, 1.0, 1.0], [1.0, torch.nan, -1.0]):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    assert parameter[1].isnan()
    assert parameter[[0, 2]].isnan().all() == spreads


def test_a_nan_without_history_is_loud_too():
    parameter = one([1.0, 1.0], [1.0, torch.nan])
    AlphaMask(torch.optim.SGD([parameter], momentum=0.9)).step()
    assert parameter.isnan().all()


def test_an_empty_tensor_is_left_alone():
    parameter = torch.nn.Parameter(torch.empty(0, 3))
    optimizer = AlphaMask(torch.optim.SGD([parameter], momentum=0.9), alpha="count", record_diagnostics=True)
    for _ in range(2):
        parameter.grad = torch.empty(0, 3)
        optimizer.step()
    assert optimizer.diagnostics[parameter].alpha.item() == 1.0


def test_diagnostics_are_kept_only_when_asked_for_and_nothing_of_the_step_is():
    parameters = make_parameters()
    optimizer = AlphaMask(INNER["SGD"](parameters))
    copies = []
    plain = torch.Tensor.clone

    def clone(tensor, *arguments, **options):
        made = plain(tensor, *arguments, **options)
        copies.append(weakref.ref(made))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "clone", clone)
        train(optimizer, parameters, 0, 2)
    assert optimizer.diagnostics == {}
    kept = [copy() for copy in copies if copy() is not None]
    buffers = [state["momentum_buffer"] for state in optimizer.state.values()]
    assert all(any(one is buffer for buffer in buffers) for one in kept)
    with pytest.raises(TypeError, match="record_diagnostics='yes'"):
        AlphaMask(INNER["SGD"](parameters), record_diagnostics="yes")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: "SGD", TypeError, r"'SGD' is no torch.optim.Optimizer"),
        (lambda p: torch.optim.SGD, TypeError, r"Pass an instance"),
        (lambda p: torch.optim.LBFGS(p), TypeError, "LBFGS evaluates the model several times.*momentum=0.9"),
        (lambda p: AlphaAdam(p), TypeError, "AlphaAdam masks by itself"),
        (lambda p: AlphaMask(INNER["SGD"](p)), TypeError, "AlphaMask masks by itself"),
        (lambda p: torch.optim.SGD(p), ValueError, "SGD keeps no momentum in parameter group 0.*momentum to 0.9"),
        (lambda p: torch.optim.RMSprop(p), ValueError, "RMSprop keeps no momentum in parameter group 0"),
    ],
)
def test_an_optimizer_that_cannot_be_wrapped_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        AlphaMask(make([one([1.0])]))


@pytest.mark.parametrize("make", [torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.Rprop, torch.optim.ASGD])
def test_an_optimizer_without_momentum_is_refused_at_its_first_step_and_moves_nothing(make):
    parameter = one([1.0, 2.0], [1.0, 1.0])
    optimizer = AlphaMask(make([parameter]))
    with pytest.raises(ValueError, match=rf"{make.__name__} keeps no momentum.*its state .* holds step.*momentum=0.9"):
        optimizer.step()
    assert parameter.tolist() == [1.0, 2.0]


def test_without_masking_no_momentum_is_needed():
    ours, theirs = make_parameters(), make_parameters()
    train(AlphaMask(torch.optim.SGD(ours, lr=0.1), **AS_INNER), ours, 0, 3)
    train(torch.optim.SGD(theirs, lr=0.1), theirs, 0, 3)
    assert_identical(ours, theirs)


def test_a_momentum_scheduled_to_zero_is_refused_rather_than_masked_by_an_old_one():
    parameter = one([1.0], [1.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], momentum=0.9))
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.0
    with pytest.raises(ValueError, match="keeps no momentum in parameter group 0"):
        optimizer.step()


def test_the_momentum_can_be_named():
    parameter = one([1.0, 1.0])
    inner = torch.optim.Adam([parameter], lr=0.1)
    optimizer = AlphaMask(inner, momentum_key="exp_avg")
    train(optimizer, [parameter], 0, 2)
    with pytest.raises(ValueError, match=r"Adam keeps no 'exp_avgs' to mask by.*holds step, exp_avg, exp_avg_sq"):
        train(AlphaMask(inner, momentum_key="exp_avgs"), [parameter], 2, 3)
    with pytest.raises(ValueError, match=r"'step' in the state of Adam is a tensor of shape \(\).*momentum_key"):
        train(AlphaMask(inner, momentum_key="step"), [parameter], 3, 4)
    with pytest.raises(TypeError, match="momentum_key=1 "):
        AlphaMask(inner, momentum_key=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"masking": "nome"}, ValueError, "masking='nome'.*did you mean 'none'"),
        ({"alpha": "nrom"}, ValueError, "alpha='nrom'"),
        ({"alpha": True}, TypeError, "alpha=True"),
        ({"alpha": 1.0, "alpha_max": 2.0}, ValueError, "alpha_max=2.0"),
        ({"alpha_max": 0.5}, ValueError, "alpha_max=0.5"),
    ],
)
def test_bad_settings_are_refused_and_leave_the_inner_optimizer_as_it_was(options, error, message):
    inner = INNER["SGD"]([one([1.0])])
    with pytest.raises(error, match=message):
        AlphaMask(inner, **options)
    assert "masking" not in inner.param_groups[0]


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_a_hyperparameter_that_turns_bad_later_is_an_error(name):
    parameter = one([1.0], [1.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], momentum=0.9))
    optimizer.param_groups[0][name] = float("nan")
    with pytest.raises(ValueError, match=f"{name}=nan"):
        optimizer.step()
    assert parameter.item() == 1.0


def test_a_sparse_gradient_says_what_to_do():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = AlphaMask(torch.optim.SGD(embedding.parameters(), momentum=0.9))
    embedding(torch.tensor([1])).sum().backward()
    before = embedding.weight.detach().clone()
    with pytest.raises(RuntimeError, match=r"sparse_coo.*\(4, 2\).*sparse=False"):
        optimizer.step()
    assert torch.equal(embedding.weight, before)


def test_a_gradient_scaler_skips_and_unscales():
    parameter = one([1.0])
    optimizer = AlphaMask(torch.optim.SGD([parameter], lr=0.5, momentum=0.9))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for loss in (parameter.sum(), parameter.sum() * torch.inf):
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert parameter.item() == 0.5
