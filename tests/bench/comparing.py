"""What the tests of comparisons share: a tiny task, and results that nobody trained."""

import math
from dataclasses import replace

from bench.compare.plan import Plan
from bench.tasks import GPT2Config, get_task
from bench.tasks.inputs import make_inputs

TASK = replace(
    get_task("gpt2-nano"),
    model=GPT2Config(layers=1, width=16, heads=2, context=8, vocabulary=256),
    batch_size=4,
    steps=10,
    warmup_steps=2,
    validation_batches=2,
    learning_rates={},
)


def plan(optimizers=("adamw",), rates=(1e-3, 2e-3, 4e-3), seeds=(1, 2), **settings):
    """A plan on the tiny task, every optimizer with the same grid."""
    digest = make_inputs(TASK).digest()
    return Plan(TASK, digest, "torch", dict.fromkeys(optimizers, rates), seeds, **{"every": 5, **settings})


def result(trial, loss, outcome="finished"):
    """A trial's summary: the loss falls by a tenth of a nat each 10 % of the budget, to `loss` at its end."""
    points = {
        percent: {"step": trial.task.steps * percent / 100, "loss": loss + 0.01 * (100 - percent)}
        for percent in trial.validation_percents
    }
    ended = outcome == "finished"
    return {
        "outcome": outcome,
        "divergedAtStep": None if outcome != "diverged" else 3,
        "error": None if outcome != "failed" else "its process was ended by SIGKILL",
        "validation": points if ended else {},
        "attempts": 1,
        "seconds": 1.0,
        "versions": {"torch": "2"},
        "code": {"commit": "0" * 40, "dirty": False},
        "machine": {"name": "here"},
    }


def valley(best):
    """The final loss by learning rate, smallest at `best`."""
    return lambda trial: 2 + abs(math.log(trial.learning_rate / best))


def carry_out(plan, loss, outcome=lambda trial: "finished"):
    """All results of a plan, in the order in which they are asked for."""
    results = {}
    while wanted := plan.wanted(results):
        results[wanted[0]] = result(wanted[0], loss(wanted[0]), outcome(wanted[0]))
    return results
