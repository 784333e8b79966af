"""Checks of distributed checkpoints: saved by some number of processes, loaded by another.

The process of the tests writes one before and reads the others afterwards.
"""

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from alphaadam.torch import AlphaAdam, AlphaMask
from tests.implementations.torch.distributed.comparing import INNER, LR, assert_close, whole
from tests.implementations.torch.distributed.models import Model, sharded, train
from tests.implementations.torch.distributed.registry import check

OPTIMIZERS = {"AlphaAdam": lambda p: AlphaAdam(p, lr=LR), "AlphaMask": lambda p: AlphaMask(INNER["SGD"](p))}
LAYOUTS = {"nested": False, "flat": True}


def checkpoint(model, optimizer, flat):
    options = StateDictOptions(flatten_optimizer_state_dict=flat)
    return {
        "model": get_model_state_dict(model, options=options),
        "optimizer": get_optimizer_state_dict(model, optimizer, options=options),
    }


def save(model, optimizer, flat, path):
    dcp.save(checkpoint(model, optimizer, flat), checkpoint_id=path)


def load(model, optimizer, flat, path):
    state = checkpoint(model, optimizer, flat)
    dcp.load(state, checkpoint_id=path)
    options = StateDictOptions(flatten_optimizer_state_dict=flat)
    set_model_state_dict(model, state["model"], options=options)
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)


def snapshot(model, optimizer):
    """Everything that training goes on from, whole."""
    return {
        name: {"parameter": whole(p).clone()} | {key: whole(value).clone() for key, value in optimizer.state[p].items()}
        for name, p in model.named_parameters()
    }


def assert_snapshot(actual, expected, *, exact):
    assert actual.keys() == expected.keys()
    for name, tensors in expected.items():
        assert actual[name].keys() == tensors.keys()
        for key, tensor in tensors.items():
            if exact:
                assert torch.equal(actual[name][key], tensor), (name, key)
            else:
                assert_close(actual[name][key], tensor)


@check(2)
def a_checkpoint_is_saved(folder):
    for name, build in OPTIMIZERS.items():
        for layout, flat in LAYOUTS.items():
            model = sharded(Model(seed=0))
            optimizer = build([*model.parameters()])
            train(model, optimizer, 0, 3)
            save(model, optimizer, flat, folder / "by-two" / name / layout)
            saved = snapshot(model, optimizer)
            train(model, optimizer, 3, 6)
            continued = snapshot(model, optimizer)
            if dist.get_rank() == 0:
                torch.save({"saved": saved, "continued": continued}, folder / f"by-two-{name}-{layout}.pt")

            again = sharded(Model(seed=1))
            other = build([*again.parameters()])
            load(again, other, flat, folder / "by-two" / name / layout)
            assert_snapshot(snapshot(again, other), saved, exact=True)
            train(again, other, 3, 6)
            assert_snapshot(snapshot(again, other), continued, exact=True)


@check(2)
def a_checkpoint_of_one_process_continues_on_two(folder):
    for name, build in OPTIMIZERS.items():
        for layout, flat in LAYOUTS.items():
            model = sharded(Model(seed=1))
            optimizer = build([*model.parameters()])
            load(model, optimizer, flat, folder / "by-one" / name / layout)
            expected = torch.load(folder / f"by-one-{name}-{layout}.pt", weights_only=True)
            assert_snapshot(snapshot(model, optimizer), expected["saved"], exact=True)
            train(model, optimizer, 3, 6)
            assert_snapshot(snapshot(model, optimizer), expected["continued"], exact=False)
