"""How PyTorch carries a training step out changes it by rounding alone; observing it changes nothing."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bench.frameworks.torch import OPTIMIZERS, NextTokenLoss, Training
from bench.frameworks.torch_optimizers import make_optimizer
from bench.settings import RELATIVE_RATES
from bench.tasks import Hyperparameters
from bench.tasks.execution import Execution
from bench.tasks.inputs import Inputs
from tests.bench.tiny import STEPS, tiny_inputs


def trained(inputs, optimizer="adamw", execution=None, observe=lambda step: False):
    training = Training(inputs, optimizer, 1e-3, *([] if execution is None else [execution]))
    losses = [training.step(inputs.training_batch(step), observe(step)) for step in range(STEPS)]
    return training, losses


@pytest.mark.parametrize("optimizer", ["alphaadam", "adamw", "muon", "alphamask-sgd"])
def test_observing_changes_nothing(optimizer):
    inputs = tiny_inputs()
    alone, losses = trained(inputs, optimizer)
    observed, losses_observed = trained(inputs, optimizer, observe=lambda step: step % 2 == 1)
    assert losses == losses_observed
    for name, values in alone.parameters().items():
        np.testing.assert_array_equal(values, observed.parameters()[name])


def test_the_observed_norms_are_those_of_the_step():
    inputs = tiny_inputs()
    training, _ = trained(inputs, "adamw")
    before = {name: values.copy() for name, values in training.parameters().items()}
    batch = inputs.training_batch(STEPS)
    windows = torch.from_numpy(batch).long()
    loss = nn.functional.cross_entropy(training.model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
    gradients = torch.autograd.grad(loss, list(training.model.parameters()))
    training.step(batch, observe=True)
    observation = training.observation()
    # Sums of some thousand squares in float32, in another order.
    assert observation["gradientNorm"] == pytest.approx(
        np.sqrt(sum(g.double().square().sum().item() for g in gradients)), rel=1e-5
    )
    changes = [values.astype(np.float64) - before[name] for name, values in training.parameters().items()]
    assert observation["updateNorm"] == pytest.approx(np.sqrt(sum((c**2).sum() for c in changes)), rel=1e-5)


def test_the_gradient_norm_is_the_one_before_clipping():
    inputs = tiny_inputs()
    strict = Inputs(replace(inputs.task, clip_norm=1e-3), inputs.data)
    norms = []
    for given in (inputs, strict):
        training = Training(given, "sgd", 1e-3)
        training.step(given.training_batch(0), observe=True)
        norms.append(training.observation()["gradientNorm"])
    assert norms[0] == norms[1] > 1e-3


def test_masks_and_alphas_are_the_optimizers_own():
    inputs = tiny_inputs()
    names = ("alphaadam", "adamw", "cautious-adamw", "adamw-sm", "adamw-am", "lion", "sgd", "alphamask-sgd")
    observed = {name: trained(inputs, name, observe=lambda step: True)[0].observation() for name in names}
    for name, observation in observed.items():
        tensors = observation["tensors"]
        assert list(tensors) == list(inputs.initial_parameters)
        tensor = tensors["h.0.mlp.c_fc.weight"]
        if name in ("adamw", "lion", "sgd"):
            assert tensor == {"maskFraction": None, "alpha": None}
            continue
        assert 0.2 < tensor["maskFraction"] < 0.98, name
        expected = {"adamw-sm": 1, "adamw-am": 1, "cautious-adamw": 1 / tensor["maskFraction"]}
        if name in expected:
            assert tensor["alpha"] == pytest.approx(expected[name], rel=1e-6)
        else:
            assert 1 < tensor["alpha"] <= 2


def test_a_step_that_was_not_observed_tells_nothing():
    training, _ = trained(tiny_inputs(), observe=lambda step: step == 0)
    with pytest.raises(RuntimeError, match="the last step was not observed"):
        training.observation()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_gradients_of_micro_batches_add_up_to_those_of_the_batch(precision):
    inputs = tiny_inputs(precision)
    _, whole = trained(inputs)
    training, parts = trained(inputs, execution=Execution(micro_batches=4), observe=lambda step: True)
    # In float32 sums of some hundred terms in another order; gradients in bfloat16 are rounded to 8 bits part by part.
    tolerance = 1e-6 if precision == "float32" else 1e-4
    assert parts == pytest.approx(whole, rel=tolerance)
    batch = inputs.validation_batches()[0]
    assert training.loss(batch) == pytest.approx(trained(inputs)[0].loss(batch), rel=tolerance)


def test_gradients_of_micro_batches_are_averaged_not_added():
    inputs = tiny_inputs()
    norms = []
    for parts in (1, 4):
        training = Training(inputs, "sgd", 1e-3, Execution(micro_batches=parts))
        training.step(inputs.training_batch(0), observe=True)
        norms.append(training.observation()["gradientNorm"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-5)  # sums in another order


def test_bfloat16_is_for_products_alone():
    training, losses = trained(tiny_inputs("bfloat16"), "alphaadam")
    _, exact = trained(tiny_inputs(), "alphaadam")
    assert losses != exact
    assert losses == pytest.approx(exact, rel=1e-2)  # 8 bits in each product
    assert {p.dtype for p in training.model.parameters()} == {torch.float32}
    state = training._optimizer.state.values()
    assert {value.dtype for of_one in state for value in of_one.values()} == {torch.float32}
    windows = torch.zeros(1, 17, dtype=torch.long)
    assert NextTokenLoss(training.model, reduced=True)(windows).dtype == torch.float32


def test_a_compiled_model_trains_as_the_other(monkeypatch):
    # Without Inductor's C++, which takes ten seconds; what leads to it is the same.
    monkeypatch.setattr(NextTokenLoss, "compile", lambda self: nn.Module.compile(self, backend="aot_eager"))
    inputs = tiny_inputs()
    one_layer = replace(inputs.task, model=replace(inputs.task.model, layers=1))  # compiling takes its time
    inputs = Inputs(one_layer, inputs.data)
    _, plain = trained(inputs)
    training, compiled = trained(inputs, execution=Execution(compile=True))
    assert training._loss._compiled_call_impl is not None
    assert compiled == pytest.approx(plain, rel=1e-5)  # operations are fused, so that sums go another way


def test_weight_decay_of_sgd_and_lion_is_decoupled_and_adamws():
    for name in ("sgd", "lion", "adamw", "alphaadam"):
        parameter = nn.Parameter(torch.tensor([2.0, -3.0]))
        groups = [{"params": [parameter]}]
        adamws = 0.5 * RELATIVE_RATES.get(name, 1)
        optimizer = make_optimizer(name, groups, 0.1, Hyperparameters(weight_decay=adamws))
        parameter.grad = torch.zeros(2)
        for _ in range(2):
            optimizer.step()
        torch.testing.assert_close(parameter.data, torch.tensor([2.0, -3.0]) * 0.95**2)


def test_sgds_momentum_knows_nothing_of_the_decay():
    parameter = nn.Parameter(torch.tensor([1.0]))
    optimizer = make_optimizer("sgd", [parameter], 0.1, Hyperparameters(weight_decay=0.5 * RELATIVE_RATES["sgd"]))
    expected, momentum = 1.0, 0.0
    for gradient in (1.0, -2.0, 0.5):
        parameter.grad = torch.tensor([gradient])
        optimizer.step()
        momentum = 0.9 * momentum + gradient
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * momentum
    assert parameter.item() == pytest.approx(expected, rel=1e-6)
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


def test_without_lion_pytorch_only_lion_fails_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lion_pytorch", None)
    inputs = tiny_inputs()
    with pytest.raises(ModuleNotFoundError, match=r"pip install -c constraints\.txt lion-pytorch"):
        Training(inputs, "lion", 1e-3)
    Training(inputs, "sgd", 1e-3)


@pytest.mark.parametrize(
    ("execution", "error", "message"),
    [
        (Execution(micro_batches=3), ValueError, "a batch of 8 sequences cannot be cut into 3 equal parts"),
        (Execution(micro_batches=0), ValueError, "cannot be cut into 0 equal parts"),
        (Execution(parallel="sharded"), ValueError, "'sharded' is not PyTorch's; choose one of: none, ddp, fsdp"),
        (Execution(parallel="ddp"), RuntimeError, "torchrun --nproc-per-node 2 -m bench run --parallel ddp"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(execution, error, message):
    with pytest.raises(error, match=message):
        Training(tiny_inputs(), "adamw", 1e-3, execution)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_the_device_is_refused():
    with pytest.raises(RuntimeError, match="no CUDA device; use the device cpu"):
        Training(tiny_inputs(), "adamw", 1e-3, Execution(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_on_cuda_is_that_on_the_cpu(optimizer):
    inputs = tiny_inputs()
    _, there = trained(inputs, optimizer, Execution(device="cuda"))
    assert there == pytest.approx(trained(inputs, optimizer)[1], rel=1e-4)  # sums go another way


def test_several_processes_that_share_nothing_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="choose --parallel ddp or fsdp"):
        Training(tiny_inputs(), "adamw", 1e-3)
