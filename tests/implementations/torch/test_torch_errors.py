"""What users meet when something is wrong: it is named, says what helps, and leaves the parameters as they were."""

import importlib.util
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from alphaadam.torch import AlphaAdam, _paths
from tests.implementations.torch.training import VARIANTS, assert_identical, make_parameters, snapshot, train


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sparse_gradient_moves_nothing(variant):
    dense, embedding = make_parameters(shapes=[(3,)])[0], nn.Embedding(4, 2, sparse=True)
    optimizer = AlphaAdam([embedding.weight, dense], **VARIANTS[variant])
    (embedding(torch.tensor([1])).sum() + dense.sum()).backward()
    before = [embedding.weight.detach().clone(), dense.detach().clone()]
    with pytest.raises(RuntimeError, match=r"sparse_coo.*\(4, 2\).*sparse=False"):
        optimizer.step()
    assert_identical([embedding.weight.detach(), dense.detach()], before)


@pytest.mark.parametrize("variant", ["loop", "foreach", "default"])
def test_parameters_on_several_devices_are_stepped_each_on_its_own(variant):
    here, there = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3, device="meta"))
    optimizer = AlphaAdam([there, here], lr=0.5, weight_decay=0.0, **VARIANTS[variant])
    here.grad, there.grad = torch.ones(3), torch.ones(3, device="meta")
    optimizer.step()
    torch.testing.assert_close(here.detach(), torch.full((3,), 0.5))
    assert optimizer.state[there]["exp_avg"].device.type == "meta"


def test_fused_on_a_device_without_kernels_is_an_error():
    model = nn.Linear(3, 3, device="meta")
    optimizer = AlphaAdam(model.parameters(), fused=True)  # where it will be is not known yet
    model(torch.empty(2, 3, device="meta")).sum().backward()
    with pytest.raises(RuntimeError, match=r"fused=True is not available: parameters are on 'meta'.*'cpu', 'cuda'"):
        optimizer.step()


def test_fused_on_a_dtype_without_kernels_is_an_error_before_training():
    parameter = nn.Parameter(torch.ones(3).to(torch.float8_e4m3fn))
    with pytest.raises(RuntimeError, match=r"fused=True is not available: parameters are torch.float8_e4m3fn"):
        AlphaAdam([parameter], fused=True)
    optimizer = AlphaAdam([nn.Parameter(torch.ones(3))], fused=True)
    with pytest.raises(RuntimeError, match="float8_e4m3fn"):
        optimizer.add_param_group({"params": [parameter]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("variant", ["loop", "foreach", "default"])
def test_a_dtype_in_which_nothing_can_be_computed_is_an_error(variant):
    parameter = nn.Parameter(torch.ones(3).to(torch.float8_e5m2))
    optimizer = AlphaAdam([parameter], **VARIANTS[variant])
    optimizer.step()  # frozen so far
    parameter.grad = torch.ones(3).to(torch.float8_e5m2)
    with pytest.raises(RuntimeError, match=r"\(3,\) is torch.float8_e5m2.*bfloat16 or float32"):
        optimizer.step()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rate", 0.1, "'learning_rate'.*Did you mean 'lr'"),
        ("beta1", 0.1, "'beta1'.*Did you mean 'betas'"),
        ("weight_deacy", 0.1, "'weight_deacy'.*Did you mean 'weight_decay'"),
        ("lr", -1.0, "lr=-1.0"),
        ("lr", torch.tensor(torch.inf), "lr=inf"),
    ],
)
def test_a_scheduler_that_writes_what_nobody_reads_is_noticed_at_the_next_step(key, value, message):
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters)
    train(optimizer, parameters, 0, 1)
    before = snapshot(optimizer)
    optimizer.param_groups[0][key] = value
    with pytest.raises(ValueError, match=message):
        train(optimizer, parameters, 1, 2)
    assert_identical(snapshot(optimizer), before)


def test_keys_that_others_keep_in_a_group_are_left_alone():
    parameters = make_parameters()
    optimizer = AlphaAdam([{"params": parameters, "name": "all", "initial_lr": 0.1, "lr_scale": 0.5, "swa_lr": 1.0}])
    train(optimizer, parameters, 0, 1)
    assert optimizer.param_groups[0]["lr_scale"] == 0.5


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize(("alpha", "spreads"), [("norm", True), ("count", False), (1.0, False)])
def test_a_gradient_that_is_not_finite_is_never_hidden(variant, bad, alpha, spreads):
    """The second step: the coordinate would be masked, its history being positive, if the gradient is negative."""
    parameter = nn.Parameter(torch.ones(3))
    optimizer = AlphaAdam([parameter], alpha=alpha, **VARIANTS[variant])
    for gradient in (torch.ones(3), torch.tensor([1.0, bad, 1.0])):
        parameter.grad = gradient
        optimizer.step()
    assert parameter[1].isnan()
    assert parameter[[0, 2]].isnan().all() == spreads


@pytest.fixture
def without_numba(monkeypatch):
    """A function that makes Numba missing or broken, for as long as the test lasts."""

    def forget():
        _paths.missing.cache_clear()
        _paths._warn_once.cache_clear()

    def take_away(how):
        forget()
        if how == "missing":
            find = importlib.util.find_spec
            monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else find(name))
        else:
            monkeypatch.setitem(sys.modules, "alphaadam.torch._numba", None)  # importing it raises ImportError

    yield take_away
    monkeypatch.undo()
    forget()


REASONS = {
    "missing": r"needs numba, which is not installed\. Run `python -m pip install \"alphaadam\[torch,numba\]\"`",
    "broken": r"needs numba, which failed: ModuleNotFoundError: .*Run `python -m pip install",
}


@pytest.mark.parametrize("how", REASONS)
def test_without_a_compiler_the_default_warns_once_and_takes_the_next_best_path(without_numba, how):
    without_numba(how)
    ours, theirs = make_parameters(), make_parameters()
    optimizer = AlphaAdam(ours)
    with pytest.warns(UserWarning, match=REASONS[how]) as caught:
        train(optimizer, ours, 0, 3)
    assert len(caught) == 1
    other = AlphaAdam(theirs, foreach=False)
    train(other, theirs, 0, 3)
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("how", REASONS)
def test_without_a_compiler_fused_is_an_error(without_numba, how):
    without_numba(how)
    with pytest.raises(RuntimeError, match="fused=True is not available: on 'cpu' it " + REASONS[how]):
        AlphaAdam(make_parameters(), fused=True)


@pytest.mark.parametrize("options", [{"foreach": True}, {"foreach": False}, {"fused": False}, {"differentiable": True}])
def test_without_a_compiler_who_chose_a_path_is_not_warned(without_numba, options):
    without_numba("missing")
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters, **options)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        optimizer.param_groups[0]["params"] = [p.detach() for p in parameters]
        train(optimizer, optimizer.param_groups[0]["params"], 0, 2)


def test_importing_the_room_imports_no_compiler():
    code = "import sys, alphaadam.torch; print([m for m in ('numba', 'triton', 'llvmlite') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
