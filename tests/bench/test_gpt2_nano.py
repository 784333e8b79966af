"""The task gpt2-nano stays what it is."""

import itertools
import math
from pathlib import Path

import pytest

import bench
from bench.names import OPTIMIZERS
from bench.records import read_json
from bench.tasks import MODELS, get_task, parameter_shapes
from bench.tasks.gpt2_nano import TARGET_LOSS
from bench.tasks.inputs import Inputs

TASK = get_task("gpt2-nano")
COMPARISON = read_json(Path(bench.__file__).with_name("results") / "compare/gpt2-nano-torch/comparison.json")

# Results are compared with one another by this digest. If it is another one, the task is another one: give it
# another name, and search its learning rates.
DIGEST = "e72194d6a471f2d8cf2f5b82f121b4b96446f6bca9e3b5e07286952d9ea0631e"


def test_the_task_is_the_one_that_records_speak_of():
    assert Inputs(TASK).digest() == DIGEST


def test_an_unknown_task_is_refused_with_the_valid_names():
    with pytest.raises(ValueError, match="unknown task 'gpt2-giga'; choose one of: gpt2-nano"):
        get_task("gpt2-giga")


def test_gpt2_small_has_the_published_tensors():
    shapes = parameter_shapes(MODELS["gpt2-small"]).values()
    assert len(shapes) == 148
    assert sum(math.prod(shape) for shape in shapes) == 124_439_808


def test_validation_is_measured_at_the_percentages_of_the_budget():
    assert TASK.validation_steps() == {20: 72, 40: 144, 60: 216, 100: 360}


def test_the_comparison_was_made_on_this_task():
    assert COMPARISON["taskDigest"] == DIGEST
    assert set(OPTIMIZERS) <= set(COMPARISON["optimizers"]) == set(TASK.learning_rates)
    assert COMPARISON["target"]["loss"] == TARGET_LOSS


@pytest.mark.parametrize("optimizer", COMPARISON["optimizers"])
def test_the_tuned_rate_is_the_best_of_the_search_and_not_at_its_edge(optimizer):
    grid = {
        point["learningRate"]: math.inf if point["finalValidationLoss"] is None else point["finalValidationLoss"]
        for point in COMPARISON["optimizers"][optimizer]["search"]["grid"]
    }
    best = min(grid, key=grid.get)
    assert TASK.learning_rate(optimizer) == best
    assert min(grid) < best < max(grid)
    assert all(b == pytest.approx(2 * a) for a, b in itertools.pairwise(sorted(grid)))
