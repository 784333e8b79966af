"""Tests of bench.training, with a framework that computes nothing."""

import dataclasses
import math
from types import SimpleNamespace

import pytest

import alphaadam
from bench import training
from bench.tasks import get_task

TASK = dataclasses.replace(get_task("gpt2-nano"), steps=10, warmup_steps=2, validation_batches=2)


@pytest.fixture
def losses(monkeypatch):
    """The losses that the stand-in gives, step by step; those of validation batches are 1 and 2."""
    losses = [5.0 - 0.1 * step for step in range(10)]

    class Training:
        def __init__(self, inputs, optimizer, learning_rate, execution):
            self.steps, self.validated = 0, 0

        def step(self, tokens, observe=False):
            self.observed = observe
            self.steps += 1
            return losses[self.steps - 1]

        def loss(self, tokens):
            self.validated += 1
            return 2.0 - self.validated % 2

        def observation(self):
            assert self.observed
            return {"gradientNorm": float(self.steps)}

    module = SimpleNamespace(Training=Training, LIBRARIES={"lion": "lion-pytorch"}, versions=lambda: {"stand-in": "1"})
    monkeypatch.setattr(training, "load_framework", lambda name: module)
    return losses


def test_the_record_holds_every_loss_and_the_validation_at_each_part_of_the_budget(losses):
    shown = []
    record = training.train(TASK, "torch", "adamw", 1e-3, progress=lambda *of_step: shown.append(of_step))
    assert record["trainingLoss"] == losses
    assert record["validation"] == [
        {"budgetPercent": percent, "step": step, "loss": 1.5}
        for percent, step in ((20, 2), (40, 4), (60, 6), (100, 10))
    ]
    assert record["divergedAtStep"] is None
    assert shown == [(step, 10, loss) for step, loss in enumerate(losses, 1)]
    assert (record["framework"], record["optimizer"], record["learningRate"]) == ("torch", "adamw", 1e-3)
    assert record["versions"].keys() == {"alphaadam", "stand-in", "python"}


def test_the_record_says_which_optimizer_it_was(losses):
    record = training.train(TASK, "torch", "galore", 1e-3)
    assert (record["takes"]["rule"], record["takes"]["others"]) == ("hidden matrices", "adamw")
    assert len(record["takes"]["tensors"]) == 4 * TASK.model.layers
    assert record["optimizerSettings"]["rank"] == TASK.model.width // 4
    assert record["source"] == {"library": "alphaadam", "version": alphaadam.__version__}
    assert training.train(TASK, "torch", "lion", 1e-3)["source"]["library"] == "lion-pytorch"


def test_without_a_rate_the_tuned_one_is_used(losses):
    assert training.train(TASK, "torch", "alphaadam")["learningRate"] == TASK.learning_rates["alphaadam"]


def test_fewer_steps_are_the_beginning_of_the_whole_trial(losses):
    record = training.train(TASK, "torch", "adamw", 1e-3, steps=5)
    assert record["trainingLoss"] == losses[:5]
    assert [point["budgetPercent"] for point in record["validation"]] == [20, 40]


def test_events_tell_of_each_step_and_validation_as_they_happen(losses):
    events = []
    training.train(TASK, "torch", "adamw", 1e-3, every=4, validation_percents=(30, 35, 100), event=events.append)
    steps = [event for event in events if event["kind"] == "step"]
    assert [event["loss"] for event in steps] == losses
    assert [event["lr"] for event in steps[:2]] == pytest.approx([5e-4, 1e-3])
    assert {event["step"]: event["gradientNorm"] for event in steps if "gradientNorm" in event} == {1: 1, 4: 4, 8: 8}
    # 30 % and 35 % of 10 steps are the same step.
    validated = [(event["budgetPercent"], event["step"]) for event in events if event["kind"] == "validation"]
    assert validated == [(30, 3), (35, 3), (100, 10)]
    assert [event["kind"] for event in events][2:5] == ["step", "validation", "validation"]


def test_another_seed_is_named_beside_the_digest_of_the_task(losses):
    own = training.train(TASK, "torch", "adamw", 1e-3)
    other = training.train(TASK, "torch", "adamw", 1e-3, seed=1)
    assert (own["seed"], other["seed"]) == (TASK.seed, 1)
    assert own["taskDigest"] == other["taskDigest"]


def test_a_trial_ends_where_it_diverges(losses):
    losses[6] = math.nan
    record = training.train(TASK, "torch", "adamw", 1e-3)
    assert record["divergedAtStep"] == 7
    assert record["trainingLoss"] == losses[:6]
    assert [point["budgetPercent"] for point in record["validation"]] == [20, 40, 60]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "adm"}, "unknown optimizer 'adm'; choose one of: alphaadam, adamw, cautious-adamw"),
        ({"learning_rate": 0.0}, "learning rate 0.0 is invalid; give a finite number > 0"),
        ({"learning_rate": math.inf}, "learning rate inf is invalid"),
        ({"steps": 0}, "0 steps are not possible; gpt2-nano has 1 to 10"),
        ({"every": 0}, "every 0 steps is not possible"),
        ({"directions": True}, "directions are measured with PyTorch, at observed steps"),
        ({"steps": 11}, "11 steps are not possible; gpt2-nano has 1 to 10"),
    ],
)
def test_bad_arguments_are_refused(losses, arguments, message):
    with pytest.raises(ValueError, match=message):
        training.train(TASK, "torch", **{"optimizer": "adamw", **arguments})


def test_an_unknown_framework_is_refused():
    with pytest.raises(ValueError, match="unknown framework 'flax'; choose one of: torch, jax, keras"):
        training.train(TASK, "flax", "adamw")
