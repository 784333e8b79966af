"""The tables in the documentation are those of the results that are kept in the project."""

import re
from pathlib import Path
from statistics import fmean, stdev

import pytest

from bench import tasks
from bench.changes import power
from bench.changes.power import KINDS, OURS
from bench.compare.report import table
from bench.compare.trials import read_record
from bench.names import COMPARED
from bench.records import read_json
from bench.tasks.inputs import Inputs

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
RATIO = "throughput.OptimizerStep.track_ratio_to_adamw"
COMPARISONS = {"gpt2-nano": RESULTS / "compare/gpt2-nano-torch", "gpt2-micro": RESULTS / "compare/gpt2-micro-torch"}


def block(page, command):
    """What stands under a command in a page, up to the next paragraph that is no part of it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return text.split(f"<!-- python -m bench {command} -->\n", 1)[1]


def test_the_power_experiment():
    content = read_json(RESULTS / "power-cpu.json")
    assert block("tracking.md", "power --table bench/results/power-cpu.json").startswith(power.render(content))


def test_the_power_experiment_is_large_enough_and_its_words_follow_from_its_figures():
    from bench.changes.verdicts import FASTER, LEVEL, SLOWER, SMALLEST, UNCHANGED

    comparisons = [made for made in read_json(RESULTS / "power-cpu.json")["comparisons"] if made["method"] == OURS]
    assert {made["kind"] for made in comparisons} == set(KINDS)
    cases = [
        (made["kind"] == "planted" and power.is_planted(case), case) for made in comparisons for case in made["cases"]
    ]
    assert sum(not planted for planted, _ in cases) >= 300
    assert sum(planted for planted, _ in cases) >= 60
    for _, case in cases:
        changed = case["p"] <= LEVEL and not 1 / (1 + SMALLEST) < case["ratio"] < 1 + SMALLEST
        assert case["word"] == ((SLOWER if case["ratio"] > 1 else FASTER) if changed else UNCHANGED)


def test_the_tracked_commits():
    page = (ROOT / "docs/tracking.md").read_text(encoding="utf-8")
    files = [path for path in (RESULTS / "asv").glob("*/*.json") if path.name != "machine.json"]
    assert len(files) >= 5
    for path in files:
        content = read_json(path)
        row = dict(zip(content["result_columns"], content["results"][RATIO], strict=False))
        assert row["params"][0][0] == "'alphaadam'"
        assert re.search(rf"^\| `{content['commit_hash'][:7]}`.* \| {row['result'][0]:.1f} \|$", page, re.MULTILINE)


@pytest.mark.parametrize("task", COMPARISONS)
def test_the_comparison(task):
    content = read_json(COMPARISONS[task] / "comparison.json")
    command = f"compare --table bench/results/compare/{task}-torch"
    assert block("comparing.md", command).startswith(table(content))


@pytest.mark.parametrize("task", COMPARISONS)
def test_the_comparisons_records_are_kept_and_say_the_same(task):
    content = read_json(COMPARISONS[task] / "comparison.json")
    records = [read_record(path) for path in sorted(COMPARISONS[task].glob("*.jsonl"))]
    losses = {
        (header["optimizer"], header["learningRate"], header["seed"]): record["validation"][-1]["loss"]
        for record in records
        if record["footer"]["outcome"] == "finished" and (header := record["header"])
    }
    assert content["taskDigest"] == Inputs(tasks.TASKS[task]).digest()
    assert all(record["header"]["taskDigest"] == content["taskDigest"] for record in records)
    searched = found = 0
    for optimizer, of_one in content["optimizers"].items():
        for point in of_one["search"]["grid"]:
            if point["finalValidationLoss"] is not None:
                searched += 1
                assert losses[optimizer, point["learningRate"], content["searchSeed"]] == point["finalValidationLoss"]
        for seed in of_one["final"]:
            found += 1
            assert losses[optimizer, of_one["search"]["bestLearningRate"], seed["seed"]] == seed["loss"]["100"]
        grid = [point["learningRate"] for point in of_one["search"]["grid"]]
        assert min(grid) < of_one["search"]["bestLearningRate"] < max(grid)
        assert tasks.TASKS[task].learning_rate(optimizer) == of_one["search"]["bestLearningRate"]
    assert len(losses) == searched + found
    assert len(content["finalSeeds"]) >= 3


def test_the_comparison_of_five_optimizers_has_as_many_rates_and_seeds():
    content = read_json(COMPARISONS["gpt2-nano"] / "comparison.json")
    assert len(content["optimizers"]) >= 5
    assert min(len(of_one["search"]["grid"]) for of_one in content["optimizers"].values()) >= 5
    assert len(content["finalSeeds"]) >= 5


@pytest.mark.parametrize(("framework", "name"), [("jax", "JAX"), ("keras", "Keras")])
def test_every_optimizer_ends_where_it_does_in_pytorch(framework, name):
    there = read_json(RESULTS / f"compare/gpt2-nano-{framework}/comparison.json")
    torch = read_json(COMPARISONS["gpt2-nano"] / "comparison.json")
    assert there["framework"] == framework
    assert there["taskDigest"] == torch["taskDigest"]
    assert len(there["finalSeeds"]) >= 3
    assert set(there["finalSeeds"]) <= set(torch["finalSeeds"])
    assert set(there["optimizers"]) == set(torch["optimizers"]) == set(COMPARED)
    largest = 0.0
    for optimizer, of_one in there["optimizers"].items():
        assert of_one["search"]["bestLearningRate"] == torch["optimizers"][optimizer]["search"]["bestLearningRate"]
        losses = {seed["seed"]: seed["loss"]["100"] for seed in of_one["final"]}
        assert set(losses) == set(there["finalSeeds"])
        ours = [seed["loss"]["100"] for seed in torch["optimizers"][optimizer]["final"] if seed["seed"] in losses]
        assert abs(fmean(losses.values()) - fmean(ours)) < stdev(ours), optimizer
        largest = max(largest, abs(fmean(losses.values()) - fmean(ours)))
    page = (ROOT / "docs/comparing.md").read_text(encoding="utf-8")
    assert re.search(rf"{largest:.4f} in {name} ", page)
