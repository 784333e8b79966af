"""What every baseline takes for a hyperparameter, a group, and a learning rate, and what it refuses."""

import copy
import re

import pytest
import torch

from suite.adapters.torch_baselines import arguments
from tests.implementations.baselines import invalid, of
from tests.implementations.torch.baselines import make, parameters_of, trained, values
from tests.implementations.torch.training import assert_identical, snapshot, train

RATE = 2.0**-6  # as a float32 tensor it is the same number

every = pytest.mark.parametrize("name", of("torch"))


# Hyperparameters


@every
def test_what_is_out_of_range_is_refused_by_name_and_value_with_a_remedy(name):
    """In the constructor, in a group of it, and in a group that is added, which then is not there."""
    betas = {f"{prefix}beta{i + 1}": f"{prefix}betas[{i}]" for prefix in ("", "adamw_") for i in range(3)}
    for wrong, given in invalid(name):
        named = [re.escape(f"{betas.get(key, key)}={value!r}") for key, value in wrong.items()]
        message = rf"^{name}: ({'|'.join(named)}) .*\bPass "
        group = {"params": parameters_of(), **arguments(given)}
        optimizer = make(name, parameters_of())
        with pytest.raises((TypeError, ValueError), match=message):
            make(name, parameters_of(), **arguments(given))
        with pytest.raises((TypeError, ValueError), match=message):
            make(name, [group])
        with pytest.raises((TypeError, ValueError), match=message):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1


@every
def test_what_is_of_another_type_is_refused(name):
    for key in make(name, parameters_of()).defaults:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: {key}=\[\] is not valid\. Pass "):
            make(name, parameters_of(), **{key: []})


@every
@pytest.mark.parametrize(
    ("key", "meant"), [("learning_rate", "lr"), ("weight_deacy", "weight_decay"), ("wd", "weight_decay")]
)
def test_a_key_of_a_group_that_would_be_ignored_is_an_error(name, key, meant):
    parameters = parameters_of()
    with pytest.raises(ValueError, match=f"^{name}: .*{key!r}.*Did you mean {meant!r}"):
        make(name, [{"params": parameters, key: 0.1}])
    optimizer = make(name, [{"params": parameters, "name": "all", "lr_scale": 0.5, "max_momentum": 0.9}])
    train(optimizer, parameters, 0, 1)
    assert optimizer.param_groups[0]["lr_scale"] == 0.5


@every
def test_a_scheduled_rate_is_checked_before_anything_moves(name):
    optimizer, parameters = trained(name, 1)
    before = snapshot(optimizer)
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match=rf"^{name}: lr=-1\.0 "):
        train(optimizer, parameters, 1, 2)
    assert_identical(snapshot(optimizer), before)


# Learning rates


@every
def test_a_rate_may_be_a_tensor(name):
    optimizer, _ = trained(name, 6, lr=torch.tensor(RATE))
    other, _ = trained(name, 6, lr=RATE)
    assert_identical(snapshot(optimizer), snapshot(other))


@every
@pytest.mark.parametrize("rate", [RATE, torch.tensor(RATE)], ids=["number", "tensor"])
def test_a_scheduler_sets_the_rate_of_the_next_step(name, rate):
    parameters, others = parameters_of(), parameters_of()
    optimizer, other = make(name, parameters, lr=copy.deepcopy(rate)), make(name, others)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 2.0**-step)
    for step in range(4):
        other.param_groups[0]["lr"] = RATE * 2.0**-step
        train(other, others, step, step + 1)
        train(optimizer, parameters, step, step + 1)
        scheduler.step()
    assert_identical(values(parameters), values(others))
