"""Tests of a comparison's result and table, with results that nobody trained."""

import json

import pytest

from bench.compare.report import report, table
from tests.bench.comparing import carry_out, plan, result, valley

SEEDS = (1, 2, 3)


def loss_of(better):
    """AdamW ends at 2.0 + 0.01 · seed in its final trials, the others lower by what `better` says of the seed."""

    def loss(trial):
        if trial.seed not in SEEDS:
            return valley(2e-3)(trial)
        return 2.0 + 0.01 * trial.seed - (0 if trial.optimizer == "adamw" else better(trial.seed))

    return loss


def content_of(better=lambda seed: 0.1 + 0.001 * seed, outcome=lambda trial: "finished", optimizers=("lion", "adamw")):
    asked = plan(optimizers, seeds=SEEDS)
    return json.loads(json.dumps(report(asked, carry_out(asked, loss_of(better), outcome)), allow_nan=False))


def test_target_and_differences_are_adamws():
    content = content_of()
    assert content["baseline"] == "adamw"
    # The loss falls by 0.01 for each percent of the budget, so at 80 % it is 0.2 higher than at the end.
    assert content["target"] == {"percent": 80, "loss": pytest.approx(2.22)}
    assert content["baselineLoss"] == pytest.approx(2.02)
    lion = content["optimizers"]["lion"]
    assert lion["differenceToBaseline"]["mean"] == pytest.approx(-0.102)
    assert lion["differenceToBaseline"]["words"] == "lower loss"
    assert lion["loss"]["100"]["n"] == 3
    # 0.102 lower is 10.2 % of the budget of 10 steps earlier.
    assert lion["stepsToBaselineLoss"]["mean"] == pytest.approx(10 - 1.02)
    assert content["optimizers"]["adamw"]["stepsToTarget"]["mean"] == pytest.approx(8)
    # Adamw's own median is reached by two of three seeds: no mean of those that did.
    own = content["optimizers"]["adamw"]["stepsToBaselineLoss"]
    assert (own["reached"], own["of"], own["mean"]) == (2, 3, None)
    assert lion["search"]["trials"] == 3
    assert lion["search"]["bestLearningRate"] == 2e-3


def test_of_a_rate_that_is_given_nothing_is_said_of_a_search():
    asked = plan(("adamw", "lion"), rates=(2e-3,), seeds=SEEDS, extend=False)
    content = json.loads(json.dumps(report(asked, carry_out(asked, loss_of(lambda seed: 0.1)))))
    search = content["optimizers"]["lion"]["search"]
    assert (search["bestLearningRate"], search["trials"], search["grid"]) == (2e-3, 0, [])
    text = table(content)
    assert "| 0 of 3 |" in text
    assert "Search, final" not in text
    assert "- lion: the rate was given, not searched." in text


def test_differences_that_scatter_around_nothing_show_nothing():
    content = content_of(better=lambda seed: 0.01 * (seed - 2))
    assert content["optimizers"]["lion"]["differenceToBaseline"]["words"] == "no difference shown"
    assert "no difference shown" in table(content)


def test_pairs_are_of_the_same_seed():
    # Unpaired the seeds scatter by far more than the difference.
    difference = content_of(better=lambda seed: 0.001 + 1e-6 * seed)["optimizers"]["lion"]["differenceToBaseline"]
    assert difference["high"] < 0
    assert difference["p"] < 1e-3


def test_trials_that_did_not_finish_are_counted_and_said():
    content = content_of(outcome=lambda t: "diverged" if t.optimizer == "lion" and t.seed == 2 else "finished")
    lion = content["optimizers"]["lion"]
    assert lion["diverged"] == {"search": 0, "final": 1}
    assert lion["loss"]["100"]["n"] == lion["differenceToBaseline"]["n"] == 2
    assert "(2 of 3)" in table(content)
    assert "1 of 3 (0 of 3 in the search)" in table(content)


def test_failed_trials_are_named():
    content = content_of(
        outcome=lambda t: "failed" if t.learning_rate == 4e-3 and t.optimizer == "lion" else "finished"
    )
    (name,) = content["failedTrials"]
    assert name.startswith("torch-lion-0.004-")
    assert f"- failed: {name}" in table(content)
    assert "0.004: failed" in table(content)


def test_without_all_of_adamws_trials_there_is_no_target():
    content = content_of(outcome=lambda t: "diverged" if t.optimizer == "adamw" and t.seed == 2 else "finished")
    assert content["target"]["loss"] is None
    assert "there is nothing to compare with" in table(content)


def test_without_adamw_there_is_no_baseline():
    content = content_of(optimizers=("lion", "sgd"))
    assert content["baseline"] is None
    assert "Beside" not in table(content)


def test_trials_of_different_commits_are_a_warning():
    asked = plan(("adamw",), seeds=SEEDS)
    results = carry_out(asked, valley(2e-3))
    next(iter(results.values()))["code"] = {"commit": "1" * 40, "dirty": False}
    assert "- The trials ran with 2 different states of the code; their records say which." in table(
        report(asked, results)
    )


def test_the_table_marks_the_best_rate():
    assert "0.001: 2.6931, **0.002: 2.0000**, 0.004: 2.6931" in table(content_of())


def test_results_are_the_plans_alone():
    asked = plan(("adamw",), seeds=SEEDS)
    results = carry_out(asked, valley(2e-3))
    other = plan(("sgd",)).wanted({})[0]
    assert "sgd" not in report(asked, {**results, other: result(other, 1.0)})["optimizers"]
