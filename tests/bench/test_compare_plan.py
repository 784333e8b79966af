"""Tests of the protocol, with results that nobody trained."""

import itertools
import math
from dataclasses import replace

import pytest

from bench.compare.plan import MOST_RATES, RATES, default_grid
from bench.names import COMPARED
from bench.settings import RELATIVE_RATES
from bench.tasks import get_task
from tests.bench.comparing import TASK, carry_out, plan, valley


@pytest.mark.parametrize("best", [1.25e-4, 5e-4, 1e-3, 2e-3, 4e-3, 6.4e-2])
def test_a_grid_grows_until_the_best_rate_is_inside(best):
    asked = plan()
    results = carry_out(asked, valley(best))
    search = asked.search("adamw", results)
    assert search.best == pytest.approx(best)
    assert search.grid[0] < search.best < search.grid[-1]
    assert search.remark is None
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(search.grid))
    # Not a trial too many: one on the far side of the best is enough to know.
    assert len(search.grid) == max(3, 1 + sum(1 for _ in _between(best)))


def _between(best):
    """The rates from the first grid's far end to the best."""
    rate = 1e-3 if best > 2e-3 else 4e-3
    while True:
        yield rate
        if math.isclose(rate, best):
            return
        rate = rate * 2 if best > 2e-3 else rate / 2


def test_a_fixed_grid_does_not_grow_and_the_edge_is_reported():
    asked = plan(extend=False)
    search = asked.search("adamw", carry_out(asked, valley(1e-2)))
    assert (search.best, search.grid) == (4e-3, (1e-3, 2e-3, 4e-3))
    assert search.remark == "the best rate is at the upper edge of the grid"


def test_a_grid_without_a_minimum_stops_growing_and_says_so():
    asked = plan()
    search = asked.search("adamw", carry_out(asked, valley(1e9)))
    assert len(search.grid) == MOST_RATES
    assert search.remark == "the best rate is at the upper edge of the grid"


def test_a_rate_that_diverges_or_fails_is_worse_than_any_other():
    asked = plan()
    for outcome in ("diverged", "failed"):
        results = carry_out(asked, valley(8e-3), lambda t, o=outcome: o if t.learning_rate > 3e-3 else "finished")
        assert asked.search("adamw", results).best == 2e-3


def test_an_optimizer_that_always_diverges_has_no_best_rate_and_no_final_trials():
    asked = plan()
    results = carry_out(asked, valley(2e-3), lambda trial: "diverged")
    assert len(results) == 3
    assert asked.search("adamw", results).remark == "every rate diverged or failed"


def test_every_search_runs_on_the_tasks_own_seed_and_final_trials_on_fresh_ones():
    asked = plan(("adamw", "lion"))
    trials = list(carry_out(asked, valley(2e-3)))
    search, final = ([t for t in trials if (t.seed == TASK.seed) == searched] for searched in (True, False))
    assert [(t.optimizer, t.seed, t.learning_rate) for t in final] == [
        (optimizer, seed, 2e-3) for optimizer in ("adamw", "lion") for seed in (1, 2)
    ]
    assert len(search) == 6
    assert {percent for t in search for percent in t.validation_percents} == {20, 40, 60, 100}
    assert all({80, 20, 5, 100} < set(t.validation_percents) for t in final)


def test_the_baseline_comes_first_since_the_target_is_its_own():
    asked = plan(("lion", "adamw"))
    assert [trial.optimizer for trial in carry_out(asked, valley(2e-3))] == ["adamw"] * 5 + ["lion"] * 5


def test_what_is_to_come_counts_the_final_trials_of_searches_that_still_run():
    asked = plan(("adamw", "lion"))
    assert asked.still_to_come({}) == 2 * (3 + 2)
    assert asked.still_to_come(carry_out(asked, valley(2e-3))) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": (1, TASK.seed)}, f"seed {TASK.seed} is the one that the rates are searched with"),
        ({"seeds": (1, 1)}, "seeds 1, 1: give at least one, each once"),
        ({"seeds": ()}, "give at least one"),
        ({"rates": (1e-3, 3e-3)}, "learning rates of adamw: 0.003 is not the double of 0.001"),
        ({"optimizers": ()}, "no optimizer to compare"),
    ],
)
def test_an_unfair_plan_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        plan(**settings)


def test_grids_of_different_sizes_are_refused():
    grids = {"adamw": (1e-3, 2e-3), "lion": (1e-4,)}
    with pytest.raises(ValueError, match="every optimizer gets the same number of learning rates, not adamw 2, lion 1"):
        replace(plan(), grids=grids)


@pytest.mark.parametrize("optimizer", COMPARED)
def test_default_grids_are_equally_long_and_centred_where_rates_are_known(optimizer):
    task = get_task("gpt2-nano")
    grid = default_grid(task, optimizer)
    assert len(grid) == RATES
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(grid))
    if optimizer in task.learning_rates:
        assert grid[RATES // 2] == task.learning_rates[optimizer]


def test_some_grids_begin_elsewhere():
    task = replace(get_task("gpt2-nano"), learning_rates={"adamw": 4e-3})
    for optimizer in COMPARED:
        centre = default_grid(task, optimizer)[RATES // 2]
        assert centre == 4e-3 * RELATIVE_RATES.get(optimizer, 1), optimizer
    assert default_grid(task, "lion")[-1] < 4e-3 < default_grid(task, "sgd")[0]
    assert set(RELATIVE_RATES) <= set(COMPARED)


def test_a_rate_that_is_given_takes_no_search():
    asked = replace(plan(("adamw", "lion"), seeds=(1, 2, 3), extend=False), grids={"adamw": (4e-3,), "lion": (1e-3,)})
    trials = list(carry_out(asked, valley(1e-2)))
    assert [(t.optimizer, t.learning_rate, t.seed) for t in trials] == [
        (optimizer, rate, seed) for optimizer, rate in (("adamw", 4e-3), ("lion", 1e-3)) for seed in (1, 2, 3)
    ]
    assert asked.search("lion", {}).remark == "the rate was given, not searched"
    assert asked.still_to_come({}) == 6
