"""What a baseline saves, and what it loads, refuses and copies."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from tests.implementations.baselines import of
from tests.implementations.torch.baselines import SHAPES, make, parameters_of, trained
from tests.implementations.torch.training import assert_identical, make_parameters, snapshot, train

DTYPES = (torch.float32, torch.float64, torch.bfloat16)

every = pytest.mark.parametrize("name", of("torch"))


def through_a_file(state):
    """What another process would load, without running code from the file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_from_a_checkpoint_is_the_uninterrupted_one(name, dtype):
    optimizer, parameters = trained(name, 3, dtype)
    saved = through_a_file({"optimizer": optimizer.state_dict(), "parameters": parameters})
    resumed = [nn.Parameter(parameter.detach()) for parameter in saved["parameters"]]
    other = make(name, resumed, lr=0.5, weight_decay=0.0)
    other.load_state_dict(saved["optimizer"])
    assert_identical(snapshot(other), snapshot(optimizer))  # dtypes too
    train(optimizer, parameters, 3, 6)
    train(other, resumed, 3, 6)
    assert_identical(snapshot(other), snapshot(optimizer))
    assert_identical(other.state_dict()["param_groups"], optimizer.state_dict()["param_groups"])


@every
def test_a_loaded_state_is_a_copy(name):
    optimizer, _ = trained(name, 3)
    other, others = trained(name, 0)
    other.load_state_dict(optimizer.state_dict())
    before = snapshot(optimizer)
    train(other, others, 3, 4)
    assert_identical(snapshot(optimizer), before)


@every
def test_copies_go_on_alike(name):
    optimizer, parameters = trained(name, 3)
    for copied in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        other, others = copied((optimizer, parameters))
        again, theirs = copy.deepcopy((optimizer, parameters))
        train(other, others, 3, 5)
        train(again, theirs, 3, 5)
        assert_identical(snapshot(other), snapshot(again))
    assert repr(optimizer).startswith(f"{name} (")


def other_optimizer(name):
    parameters = parameters_of()
    adam = torch.optim.Adam(parameters)
    train(adam, parameters, 0, 2)
    return adam.state_dict()


def other_shapes(name):
    parameters = make_parameters(shapes=[(*shape[::-1], 2) for shape in SHAPES])
    optimizer = make(name, parameters)
    train(optimizer, parameters, 0, 2)
    return optimizer.state_dict()


def other_number(name):
    optimizer = make(name, make_parameters(shapes=SHAPES[:2]))
    return optimizer.state_dict()


def incomplete(name):
    state = copy.deepcopy(trained(name, 2)[0].state_dict())
    del state["state"][0]["step"]
    return state


def out_of_range(name):
    state = copy.deepcopy(trained(name, 2)[0].state_dict())
    state["param_groups"][0]["weight_decay"] = -1.0
    return state


REFUSED = {
    other_optimizer: "was saved by another optimizer",
    other_shapes: "instead of|lacks",
    other_number: "doesn't match the size",
    incomplete: "parameter 0 lacks step",
    out_of_range: "weight_decay=-1.0",
}


@every
@pytest.mark.parametrize("wrong", REFUSED)
def test_a_checkpoint_of_something_else_is_refused_and_changes_nothing(name, wrong):
    optimizer, parameters = trained(name, 3)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=REFUSED[wrong]):
        optimizer.load_state_dict(wrong(name))
    assert_identical(optimizer.state_dict(), before)
    train(optimizer, parameters, 3, 4)


def test_hooks_before_loading_are_heard_once():
    optimizer, _ = trained("EXAdam", 2)
    saved, calls = optimizer.state_dict(), []
    fresh = make("EXAdam", parameters_of())

    def unwrap(optimizer, wrapped):
        calls.append(len(wrapped))
        state = copy.deepcopy(wrapped["old"])
        for of_parameter in state["state"].values():
            of_parameter["exp_avg"] *= 0
        return state

    fresh.register_load_state_dict_pre_hook(unwrap)
    fresh.load_state_dict({"old": saved})
    parameters = [p for group in fresh.param_groups for p in group["params"] if fresh.state.get(p)]
    assert calls == [1]
    assert parameters
    assert not any(fresh.state[p]["exp_avg"].any() for p in parameters)
    assert any(fresh.state[p]["exp_avg_sq"].any() for p in parameters)


def test_a_saved_number_in_the_place_of_a_tensor_is_named():
    optimizer, _ = trained("EXAdam", 1)
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = 5
    with pytest.raises(ValueError, match="parameter 0 has step that is no tensor"):
        make("EXAdam", parameters_of()).load_state_dict(saved)
