"""Every optimizer that is compared trains in PyTorch, and takes the parameters that its record says."""

import sys

import pytest
import torch
from torch import nn

from bench.frameworks.torch import LIBRARIES, OPTIMIZERS, Training
from bench.frameworks.torch_optimizers import groups_of, make_optimizer
from bench.names import COMPARED
from bench.tasks import Hyperparameters
from tests.bench.compared import MATRIX_RULES, assert_takes_what_it_should, assert_trains
from tests.bench.tiny import tiny_inputs


def test_every_optimizer_that_is_compared_is_there():
    assert set(OPTIMIZERS) == set(COMPARED) >= set(LIBRARIES)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_trains(optimizer):
    assert_trains(Training, tiny_inputs(), optimizer)


@pytest.mark.parametrize("optimizer", MATRIX_RULES)
def test_hidden_matrices_are_its_own_and_the_rest_adamws(optimizer):
    assert_takes_what_it_should(Training, tiny_inputs(), optimizer)


def test_groups_tell_what_decays_and_what_is_left_to_adamw():
    shapes = {"wte.weight": (4, 2), "h.0.ln_1.weight": (2,), "h.0.attn.c_proj.weight": (2, 2), "ln_f.bias": (2,)}
    named = {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
    wte, norm, matrix, bias = named.values()

    def as_lists(groups):
        return [{**group, "params": [id(p) for p in group["params"]]} for group in groups]

    everything = [{"params": [wte, matrix]}, {"params": [norm, bias], "weight_decay": 0.0}]
    assert as_lists(groups_of("exadam", named)) == as_lists(everything)
    assert as_lists(groups_of("root", named)) == as_lists(
        [
            {"params": [matrix]},
            {"params": [wte], "adamw": True},
            {"params": [norm, bias], "adamw": True, "weight_decay": 0.0},
        ]
    )


def test_muon_and_its_adamw_are_one_optimizer():
    named = {"wte.weight": nn.Parameter(torch.ones(3, 2)), "h.0.mlp.c_fc.weight": nn.Parameter(torch.eye(2))}
    optimizer = make_optimizer("muon", named, 0.1, Hyperparameters(weight_decay=0.5))
    for group in optimizer.param_groups:
        group["lr"] = 0.2
    for parameter in named.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter, before in zip(named.values(), (torch.ones(3, 2), torch.eye(2)), strict=True):
        torch.testing.assert_close(parameter.data, before * 0.9)  # the rate of the groups, and decay for both
        assert parameter in optimizer.state
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in named.values())


@pytest.mark.parametrize(
    ("optimizer", "module", "distribution"),
    [("lion", "lion_pytorch", "lion-pytorch"), ("alphamask-lion", "lion_pytorch", "lion-pytorch")],
)
def test_a_library_that_is_missing_is_named(monkeypatch, optimizer, module, distribution):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install -c constraints\.txt {distribution}"):
        Training(tiny_inputs(), optimizer, 1e-3)
