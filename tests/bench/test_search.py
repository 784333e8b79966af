"""Tests of bench.search, with trials that train nothing."""

import itertools
import math

import pytest

from bench.search import search
from bench.tasks import get_task

TASK = get_task("gpt2-nano")


class Trials:
    """Trials whose final validation loss is lowest at a known rate; above `diverging` they diverge."""

    def __init__(self, best, diverging=math.inf):
        self.best, self.diverging, self.run = best, diverging, []

    def __call__(self, optimizer, rate):
        self.run.append((optimizer, rate))
        diverged = rate > self.diverging
        loss = 2 + abs(math.log(rate / self.best))
        return {
            "versions": {"torch": "2"},
            "divergedAtStep": 3 if diverged else None,
            "validation": [{"budgetPercent": 20, "loss": 9.0}] + ([] if diverged else [{"loss": loss}]),
        }


@pytest.mark.parametrize("best", [1.25e-4, 5e-4, 1e-3, 2e-3, 4e-3, 6.4e-2])
def test_the_grid_grows_until_the_best_rate_is_inside(tmp_path, best):
    result = search(TASK, "torch", ("adamw",), tmp_path, Trials(best))
    rates = [trial["learningRate"] for trial in result["trials"]]
    assert result["bestLearningRate"] == {"adamw": pytest.approx(best)}
    assert rates[0] < best < rates[-1]
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(rates))


def test_a_rate_that_diverges_is_worse_than_any_other(tmp_path):
    result = search(TASK, "torch", ("adamw",), tmp_path, Trials(best=8e-3, diverging=3e-3))
    assert result["bestLearningRate"] == {"adamw": 2e-3}
    assert result["trials"][-1] == {
        "optimizer": "adamw",
        "learningRate": 4e-3,
        "finalValidationLoss": None,
        "divergedAtStep": 3,
    }


def test_a_search_without_a_minimum_gives_up(tmp_path):
    with pytest.raises(
        RuntimeError, match=r"after 16 learning rates from 0\.001 to 32\.768 the best is still at the edge"
    ):
        search(TASK, "torch", ("adamw",), tmp_path, Trials(best=1e9))


def test_an_interrupted_search_resumes_where_it_stopped(tmp_path):
    trials = Trials(best=4e-3)

    def interrupted(optimizer, rate):
        if len(trials.run) == 2:
            raise KeyboardInterrupt
        return trials(optimizer, rate)

    with pytest.raises(KeyboardInterrupt):
        search(TASK, "torch", ("adamw", "alphaadam"), tmp_path, interrupted)
    search(TASK, "torch", ("adamw", "alphaadam"), tmp_path, trials)
    assert len(trials.run) == len(set(trials.run)) == 8  # 1e-3 … 8e-3 for each, none of them twice
    assert search(TASK, "torch", ("adamw",), tmp_path, lambda *_: pytest.fail("run again"))


def test_records_of_another_framework_are_not_taken(tmp_path):
    search(TASK, "torch", ("adamw",), tmp_path, Trials(best=2e-3))
    trials = Trials(best=2e-3)
    search(TASK, "jax", ("adamw",), tmp_path, trials)
    assert len(trials.run) == 3


def test_a_half_written_record_is_named(tmp_path):
    search(TASK, "torch", ("adamw",), tmp_path, Trials(best=2e-3))
    next(tmp_path.glob("*-adamw-0.001.json")).write_text("{")
    with pytest.raises(ValueError, match=r"adamw-0\.001\.json is not a JSON file.*delete it and run again"):
        search(TASK, "torch", ("adamw",), tmp_path, Trials(best=2e-3))
