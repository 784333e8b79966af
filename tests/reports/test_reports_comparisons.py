"""Folders of comparisons: whole, running, broken; what they say, and what is complained about."""

import json
import math
import shutil
from pathlib import Path

import pytest

from reports.sources.comparisons import load_comparison
from reports.sources.error import SourceError
from tests.reports.comparison_folders import BEST, OPTIMIZERS, RATES, SEARCH_SEED, SEEDS, ComparisonFolder, loss

REAL = Path("bench/results/compare/gpt2-nano-torch")


def quiet(path, reason):
    raise AssertionError(f"{path}: {reason}")


@pytest.fixture
def folder(tmp_path):
    """A folder with a whole comparison but for comparison.json."""
    return ComparisonFolder(tmp_path / "compare").fill()


@pytest.fixture
def load(folder):
    """Loads the folder: the comparison, and what was complained about as (file name, reason)."""

    def load_folder():
        complaints = []
        found = load_comparison(folder.root, lambda path, reason: complaints.append((path.name, reason)))
        return found, complaints

    return load_folder


def test_records_alone_give_what_comparison_json_says(tmp_path):
    copy = tmp_path / REAL.name
    shutil.copytree(REAL, copy)
    (copy / "comparison.json").unlink()
    said, computed = load_comparison(REAL, quiet), load_comparison(copy, quiet)
    assert said.ended
    assert not computed.ended
    assert computed.target == said.target
    content = json.loads((REAL / "comparison.json").read_text(encoding="utf-8"))
    assert list(said.standings) == list(content["optimizers"])
    for name, one in said.standings.items():
        other = computed.standings[name]
        assert (other.rate, other.grid) == (one.rate, one.grid)
        assert [(seed.seed, seed.steps, seed.seconds) for seed in other.seeds] == [
            (seed.seed, seed.steps, seed.seconds) for seed in one.seeds
        ]
        pairs = [(one.loss[percent], other.loss[percent]) for percent in one.loss]
        pairs += [(one.to_target.interval, other.to_target.interval)]
        pairs += [(one.to_baseline.interval, other.to_baseline.interval)]
        if name != "adamw":
            pairs.append((one.difference.interval, other.difference.interval))
            assert other.difference[1:] == pytest.approx(one.difference[1:])
        for here, there in pairs:
            assert there == pytest.approx(here, abs=1e-12) or here[1] is there[1] is None


def test_what_comparison_json_says_is_what_is_shown(folder, load):
    entry = json.loads((REAL / "comparison.json").read_text())["optimizers"]["lion"]
    entry["loss"]["100"]["mean"] = 123.0
    folder.summarize(optimizers={"lion": entry}, target={"percent": 80, "loss": 2.5}, baselineLoss=2.25)
    comparison, complaints = load()
    assert comparison.standings["lion"].loss[100].mean == 123
    assert comparison.target == (80, 2.5, 2.25)
    assert comparison.standings["alphaadam"].loss[100].n == len(SEEDS)
    assert complaints == []


def test_comparison_json_needs_no_records(tmp_path):
    (tmp_path / "alone").mkdir()
    shutil.copy(REAL / "comparison.json", tmp_path / "alone")
    comparison = load_comparison(tmp_path / "alone", quiet)
    assert comparison.ended
    assert comparison.tokens_per_step is None
    standing = comparison.standings["alphaadam"]
    assert standing.to_target.interval.mean == pytest.approx(258.2148130103109)
    assert standing.seconds_to_target.interval.mean is None
    assert comparison.trials == {}


def test_search_and_final_trials_are_told_apart_by_their_seed(load):
    comparison, complaints = load()
    assert complaints == []
    standing = comparison.standings["adamw"]
    assert [rate.learning_rate for rate in standing.grid] == list(RATES)
    assert [rate.loss for rate in standing.grid] == [loss("adamw", rate, SEARCH_SEED, 40) for rate in RATES]
    assert [seed.seed for seed in standing.seeds] == list(SEEDS)
    assert (comparison.search_seed, comparison.final_seeds) == (SEARCH_SEED, SEEDS)
    assert (comparison.unit, comparison.tokens_per_step) == ("nats/byte", 1024)


def test_steps_and_time_to_the_target_lie_on_a_straight_line_between_validations(load):
    comparison, _ = load()
    at_80 = sorted(loss("adamw", BEST, seed, 32) for seed in SEEDS)
    assert comparison.target.loss == at_80[1]
    assert comparison.target.final == sorted(loss("adamw", BEST, seed, 40) for seed in SEEDS)[1]
    seed = comparison.standings["alphaadam"].seeds[0]
    curve = {step: loss("alphaadam", BEST, seed.seed, step) for step in range(2, 41, 2)}
    after = next(step for step, value in curve.items() if value <= at_80[1])
    part = (curve[after - 2] - at_80[1]) / (curve[after - 2] - curve[after])
    assert seed.steps == pytest.approx(after - 2 + 2 * part)
    per_step = 0.1 + 0.01 * (seed.seed % 3) + 0.02 * len("alphaadam")
    assert seed.seconds == pytest.approx(per_step * seed.steps)


def test_a_seed_that_does_not_get_there_leaves_no_mean(load):
    comparison, _ = load()
    reach = comparison.standings["lion"].to_target
    assert (reach.interval.mean, reach.reached, reach.of) == (None, 0, 3)


def test_a_running_sweep_shows_what_there_is(folder, load):
    folder.path("lion", BEST, 10).unlink()
    lines = folder.lines("lion", BEST, 10, end=15)
    running = folder.root / f".{folder.path('lion', BEST, 10).stem}.4711.running"
    text = "".join(json.dumps(line) + "\n" for line in lines)
    running.write_text(text + '{"kind":"step","step":16,"lo')
    comparison, complaints = load()
    assert complaints == []  # half a line is nothing unusual while a trial runs
    assert not comparison.ended
    trial = comparison.trials["lion"][-1]
    assert (trial.outcome, trial.ended) == ("not ended", 15)
    assert comparison.standings["lion"].count("not ended") == 1
    assert comparison.standings["lion"].loss[100].n == 2


def test_there_is_no_target_before_the_baseline_has_ended(folder, load):
    folder.path("adamw", BEST, 9).unlink()
    folder.write("adamw", BEST, 9, "failed", error="it died")
    comparison, complaints = load()
    assert complaints == []
    assert comparison.target.loss is None
    assert comparison.standings["alphaadam"].to_target.reached == 0
    assert comparison.standings["adamw"].count("failed") == 1


def test_a_comparison_has_ended_when_its_comparison_json_knows_of_nothing_to_come(folder, load):
    assert not load()[0].ended
    folder.summarize()
    assert load()[0].ended
    folder.path("lion", BEST, 10).unlink()
    assert not load()[0].ended


def test_diverged_trials_have_no_losses_from_there_on(folder, load):
    folder.write("alphaadam", BEST, 9, "diverged", end=21)
    comparison, complaints = load()
    assert complaints == []
    trial = comparison.trials["alphaadam"][1]
    assert (trial.outcome, trial.ended, trial.training.steps[-1]) == ("diverged", 22, 21)
    standing = comparison.standings["alphaadam"]
    assert (standing.count("diverged"), standing.loss[100].n, standing.difference.interval.n) == (1, 2, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_loss_that_is_not_finite_is_a_divergence_whatever_the_footer_says(folder, load, value):
    path = folder.path("alphaadam", BEST, 9)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    next(line for line in lines if line.get("step") == 20)["loss"] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    comparison, complaints = load()
    trial = comparison.trials["alphaadam"][1]
    assert (trial.outcome, trial.ended) == ("diverged", 20)
    assert trial.training.steps[-1] == 19
    assert trial.loss_at(100) is None
    assert [name for name, _ in complaints] == [path.name]
    assert f"has the loss {value!r}, which is no number to compute with" in complaints[0][1]


BROKEN = {
    "no JSON": (b"\n{]\n", "is no JSON"),
    "half a line": (b'{"kind":"step","st', "is half a line"),
    "no UTF-8": (b'{"kind":"\xff"}\n', "is no JSON"),
    "too deep": (b"[" * 100_000 + b"\n", "is no JSON"),
    "a list": (b"[1, 2]\n", "is no object"),
    "an unknown kind": (b'{"kind":"note"}\n', "of the kind 'note'"),
    "a step beyond the budget": (b'{"kind":"step","step":41,"loss":2}\n', "has the step 41"),
    "a step that is no number": (b'{"kind":"step","step":"1","loss":2}\n', "has the step '1'"),
    "no loss": (b'{"kind":"step","step":1}\n', "has no loss"),
    "a repeated step": (b'{"kind":"step","step":40,"loss":2}\n', "repeats step 40"),
    "a loss beyond measure": (
        b'{"kind":"validation","step":1,"loss":1e300,"budgetPercent":1}\n',
        "has the loss 1e+300",
    ),
    "a loss of text": (b'{"kind":"step","step":1,"loss":"2"}\n', "has the loss '2'"),
    "a huge whole number": (
        b'{"kind":"validation","step":1,"loss":2,"budgetPercent":1' + b"0" * 400 + b"}\n",
        "has the",
    ),
    "a strange percentage": (b'{"kind":"validation","step":1,"loss":2,"budgetPercent":101}\n', "budgetPercent 101"),
    "a repeated percentage": (b'{"kind":"validation","step":1,"loss":2,"budgetPercent":100}\n', "at 100 %"),
    "other tensors": (b'{"kind":"step","step":3,"loss":2,"alpha":[1]}\n', "for other tensors"),
    "no alpha": (b'{"kind":"step","step":3,"loss":2,"alpha":["a",1,1,1]}\n', "a value of alpha"),
    "a strange direction": (b'{"kind":"step","step":3,"loss":2,"directionalSharpness":"x"}\n', "directionalSharpness"),
}


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_line_costs_no_more_than_itself(folder, load, broken):
    added, words = BROKEN[broken]
    path = folder.path("alphaadam", BEST, 9)
    *lines, footer = path.read_bytes().splitlines(keepends=True)
    # Step 3 makes room for those that bring one themselves.
    kept = [line for line in lines if b'"step": 3,' not in line or b'"step":3' not in added]
    ending = [added] if broken == "half a line" else [added, footer]
    path.write_bytes(b"".join([*kept, *ending]))
    comparison, complaints = load()
    assert len(complaints) == 1
    assert complaints[0][0] == path.name
    assert words in complaints[0][1]
    assert complaints[0][1].endswith("The rest of the record is used.")
    trial = comparison.trials["alphaadam"][1]
    assert trial.loss_at(100) == loss("alphaadam", BEST, 9, 40)
    assert trial.outcome == ("not ended" if broken == "half a line" else "finished")


def test_many_broken_lines_make_one_complaint(folder, load):
    path = folder.path("lion", BEST, 9)
    path.write_text(path.read_text() + "nothing\n" * 1000)
    _, complaints = load()
    assert len(complaints) == 1
    assert "There are 997 more such lines." in complaints[0][1]
    assert len(complaints[0][1]) < 1000


HEADERS = {
    "another schema": {"schema": "alphaadam-trial-record-99"},
    "no task": {"task": None},
    "a rate of 0": {"learningRate": 0},
    "a rate that is true": {"learningRate": True},
    "a seed of text": {"seed": "8"},
    "no steps": {"steps": 0},
    "another kind": {"kind": "step"},
}


@pytest.mark.parametrize("changed", HEADERS, ids=str)
def test_a_record_whose_header_says_too_little_is_left_out_alone(folder, load, changed):
    path = folder.path("alphaadam", BEST, 9)
    header, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(header), **HEADERS[changed]}), *rest]))
    comparison, complaints = load()
    assert [name for name, _ in complaints] == [path.name]
    assert [trial.seed for trial in comparison.trials["alphaadam"]] == [8, 10]


def test_a_second_record_of_a_trial_is_left_out_and_named(folder, load):
    copy = folder.root / "copy.jsonl"
    copy.write_bytes(folder.path("adamw", BEST, 8).read_bytes())
    unfinished = folder.root / "a-half.jsonl"
    unfinished.write_bytes(folder.path("adamw", BEST, 9).read_bytes()[:3000])
    comparison, complaints = load()
    assert len(comparison.trials["adamw"]) == len(SEEDS)
    assert all(trial.outcome == "finished" for trial in comparison.trials["adamw"])
    left_out = {name for name, reason in complaints if "is a record of the same trial" in reason}
    assert left_out == {folder.path("adamw", BEST, 8).name, "a-half.jsonl"}


def test_records_of_another_task_are_not_mixed_in(folder, load):
    other = ComparisonFolder(folder.root / "elsewhere", task="gpt2-other").write("adamw", BEST, 8)
    shutil.copy(other, folder.root / "other.jsonl")
    comparison, complaints = load()
    assert comparison.task == "gpt2-nano"
    assert [name for name, _ in complaints] == ["other.jsonl"]
    assert "another comparison's" in complaints[0][1]


@pytest.mark.parametrize(
    "content",
    [
        b'{"schema": "alphaadam-compar',
        b'{"schema": "alphaadam-comparison-9"}',
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"schema": "alphaadam-comparison-1", "task": 1, "optimizers": []}',
    ],
)
def test_without_a_valid_comparison_json_the_records_speak(folder, load, content):
    (folder.root / "comparison.json").write_bytes(content)
    comparison, complaints = load()
    assert [name for name, _ in complaints] == ["comparison.json"]
    assert set(comparison.standings) == set(OPTIMIZERS)
    assert not comparison.ended


@pytest.mark.parametrize("entry", [None, {}, {"search": []}, {"search": {"grid": [], "addedAtEdges": -1}}, "text", [1]])
def test_a_broken_entry_of_one_optimizer_leaves_the_others(folder, load, entry):
    good = json.loads((REAL / "comparison.json").read_text())["optimizers"]["lion"]
    folder.summarize(optimizers={"adamw": entry, "lion": good})
    comparison, complaints = load()
    assert [name for name, _ in complaints] == ["comparison.json"]
    assert "What it says of adamw is incomplete" in complaints[0][1]
    assert comparison.standings["adamw"].loss[100].n == len(SEEDS)
    assert comparison.standings["lion"].loss[100].n == 5


def test_a_comparison_json_older_than_the_records_is_noticed(tmp_path):
    copy = tmp_path / REAL.name
    shutil.copytree(REAL, copy)
    path = next(copy.glob("*lion-0.001-seed20250119-*"))
    path.write_text(
        path.read_text().replace('"budgetPercent":100,"step":360,"loss":2', '"budgetPercent":100,"step":360,"loss":3')
    )
    complaints = []
    load_comparison(copy, lambda path, reason: complaints.append(reason))
    assert len(complaints) == 1
    assert path.name in complaints[0]


def test_a_folder_without_anything_usable_is_an_error(tmp_path):
    (tmp_path / "x.jsonl").write_text("{}\n")
    complaints = []
    with pytest.raises(SourceError, match="holds no record"):
        load_comparison(tmp_path, lambda path, reason: complaints.append(path.name))
    assert complaints == ["x.jsonl"]


def test_a_very_long_name_is_shortened(tmp_path):
    folder = ComparisonFolder(tmp_path / "long", task="t" * 10_000)
    folder.write("adamw", BEST, 8)
    comparison = load_comparison(folder.root, quiet)
    assert len(comparison.task) == 100


def test_the_origin_says_how_to_run_it_again():
    origin = load_comparison(REAL, quiet).origin()
    again, table = origin.command.splitlines()
    assert again.startswith("python -m bench compare --task gpt2-nano --framework torch --steps 360 --optimizers ")
    assert "--lrs lion=0.00025,0.0005,0.001,0.002,0.004 " in again
    assert " --seeds 5 --every 20 --threads 1" in again
    assert table == f"python -m bench compare --table {REAL.as_posix()}"
    facts = dict(origin.facts)
    assert facts["task digest"].startswith("e72194d6")
    code = json.loads((REAL / "comparison.json").read_text(encoding="utf-8"))["code"]
    assert set(facts["commit"].split("; ")) == {
        one["commit"] + (" with changes that were not committed" if one["dirty"] else "") for one in code
    }
    assert facts["final seeds"] == "20250119, 20250120, 20250121, 20250122, 20250123"
    assert facts["machine"] == "vm, Linux x86_64, AMD EPYC, 2 cores, device cpu"


def test_the_origin_tells_code_that_was_not_committed_and_different_machines(folder, load):
    path = folder.path("lion", BEST, 9)
    header, *rest = path.read_text().splitlines()
    changed = {**json.loads(header), "code": {"commit": "cd" * 20, "dirty": True}, "machine": {"name": "other"}}
    path.write_text("\n".join([json.dumps(changed), *rest]))
    facts = dict(load()[0].origin().facts)
    assert facts["commit"] == f"{'ab' * 20}; {'cd' * 20} with changes that were not committed"
    assert facts["machine"].startswith("box, Linux, fast, 2 cores, device cpu; other, ")
    assert facts["state"] == "not ended: all its figures are provisional"


def test_a_grid_that_grew_is_given_as_it_began(folder, load):
    grid = [
        {"learningRate": 0.001 * 2**n, "finalValidationLoss": 3 - (n == 1), "outcome": "finished"} for n in range(6)
    ]
    entry = json.loads((REAL / "comparison.json").read_text())["optimizers"]["lion"]
    entry["search"] = {"bestLearningRate": 0.002, "remark": None, "addedAtEdges": 2, "grid": grid}
    folder.summarize(optimizers={"lion": entry})
    assert "--lrs lion=0.004,0.008,0.016,0.032 " in load()[0].origin().command
    entry["search"]["bestLearningRate"] = 0.016
    folder.summarize(optimizers={"lion": entry})
    assert "--lrs lion=0.001,0.002,0.004,0.008 " in load()[0].origin().command


def test_other_ways_of_training_are_in_the_command(folder, load):
    for path in folder.root.glob("*.jsonl"):
        header, *rest = path.read_text().splitlines()
        ways = {"device": "cuda", "compile": True, "micro_batches": 2, "parallel": "sharded"}
        path.write_text("\n".join([json.dumps({**json.loads(header), "execution": ways, "data": "a b"}), *rest]))
    command = load()[0].origin().command
    assert "--directions --data 'a b' --device cuda --parallel sharded --compile --micro-batches 2" in command
