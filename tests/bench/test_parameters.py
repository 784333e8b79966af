"""Tests of which parameters an optimizer takes, and of what it is given."""

import json
import math
from dataclasses import replace

import pytest

from bench.names import BASELINES, COMPARED
from bench.parameters import EVERY, HIDDEN, NO_EMBEDDINGS, RULES, described, taken
from bench.settings import RELATIVE_RATES, settings_of, steps_between_refreshes, weight_decay_of
from bench.tasks import get_task, parameter_shapes

TASK = get_task("gpt2-nano")
SHAPES = parameter_shapes(TASK.model)


def test_hidden_matrices_are_the_weights_in_the_blocks():
    names = taken("muon", SHAPES)
    assert len(names) == 4 * TASK.model.layers
    assert names[:4] == tuple(f"h.0.{name}.weight" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"))
    # All that a matrix is for, but the embeddings.
    left = [name for name, shape in SHAPES.items() if len(shape) == 2 and name not in names]
    assert left == ["wte.weight", "wpe.weight"]
    assert sum(math.prod(SHAPES[name]) for name in names) > 0.9 * sum(map(math.prod, SHAPES.values()))


@pytest.mark.parametrize("optimizer", COMPARED)
def test_a_record_says_what_is_taken_and_what_is_left(optimizer):
    said = described(optimizer, SHAPES)
    assert said == json.loads(json.dumps(said))
    assert tuple(said["tensors"]) == taken(optimizer, SHAPES)
    assert (said["rule"], said["others"]) in ((EVERY, None), (HIDDEN, "adamw"), (NO_EMBEDDINGS, "adamw"))
    assert (said["rule"] == EVERY) == (said["tensors"] == list(SHAPES))


def test_rules_are_of_optimizers_that_are_compared():
    assert set(RULES) <= set(COMPARED)


def test_settings_are_the_tasks_where_they_mean_the_same():
    task = replace(TASK, hyperparameters=replace(TASK.hyperparameters, beta1=0.8, epsilon=1e-6))
    for optimizer in ("exadam", "conda", "galore", "adam-8bit"):
        assert settings_of(optimizer, task) == settings_of(optimizer, TASK) | {
            name: value
            for name, value in {"beta1": 0.8, "eps": 1e-6, "adamw_beta1": 0.8, "adamw_eps": 1e-6}.items()
            if name in settings_of(optimizer, TASK)
        }
    for optimizer, rule in RULES.items():
        if rule == HIDDEN:
            assert settings_of(optimizer, task)["adamw_beta1"] == 0.8, optimizer
    assert settings_of("ldadam", task)["beta1"] == settings_of("ldadam", TASK)["beta1"]


def test_every_baseline_has_settings_and_the_others_have_none():
    given = {optimizer for optimizer in COMPARED if settings_of(optimizer, TASK)}
    assert given == {*BASELINES, "muon", "alphamask-sgd", "alphamask-lion", "alphamask-adan", "lion", "sgd"}


def test_what_a_step_shrinks_is_the_same_where_rates_lie_elsewhere():
    for optimizer, relative in RELATIVE_RATES.items():
        decay = settings_of(optimizer, TASK)["weight_decay"]
        assert decay * relative == TASK.hyperparameters.weight_decay == weight_decay_of("adamw", TASK.hyperparameters)


def test_8bit_adam_leaves_embeddings_alone():
    assert set(SHAPES) - set(taken("adam-8bit", SHAPES)) == {"wte.weight", "wpe.weight"}


def test_periods_end_within_the_task():
    for optimizer in COMPARED:
        assert 1 <= steps_between_refreshes(optimizer, TASK) <= TASK.steps // 5
    assert steps_between_refreshes("adamw", TASK) == 1
    assert steps_between_refreshes("galore", TASK) == settings_of("galore", TASK)["update_proj_gap"]
