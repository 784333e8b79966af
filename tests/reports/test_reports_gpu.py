"""A GPU's folder is shown whole: what it found, and what of it failed."""

import json

import pytest
import vl_convert

from reports.charts import CHAPTERS
from reports.charts.cost.gpu import GpuRun
from reports.results import Results
from reports.sources.gpu import files_of, load_gpu
from reports.sources.read import read
from tests.reports.speed_files import cell, write

OUTPUT = "first line\nRuntimeError: CUDA error: an illegal access <b>\n"
SUMMARY = {
    "schema": "alphaadam-gpu-1",
    "started": "2026-05-01T10:00:00+00:00",
    "commit": "c" * 40,
    "changedFiles": ["a.py"],
    "machine": {"node": "secret-host", "processor": "Fast One", "cores": 16},
    "gpu": "NVIDIA H200, 570.1, 143771 MiB",
    "versions": {"torch": "2.11.0"},
    "parts": [
        {"name": "every optimizer", "command": "python -m a", "seconds": 30.5, "outcome": "finished"},
        {"name": "step, Optax", "command": "python -m b", "seconds": 12.0, "outcome": "failed", "output": OUTPUT},
        {"name": "data", "command": "python -m c", "seconds": 0.0, "outcome": "no time was left for it"},
    ],
}
STEPS = {
    "alphaadam": {"seconds": 0.002, "baselineSeconds": 0.001, "ratio": 1.9, "ratioSpread": 0.125, "stateBytes": 80},
    "lion": {"missing": "lion-pytorch is not installed"},
}
TRAINING = {
    "schema": "alphaadam-trial-1",
    "task": "gpt2-small",
    "framework": "torch",
    "optimizer": "alphaadam",
    "steps": 50,
    "seconds": 25.0,
    "trainingLoss": [10.0, 7.5],
}


@pytest.fixture
def folder(tmp_path):
    """Writes a folder as `python -m bench gpu` does."""

    def make(summary=SUMMARY, steps=STEPS, training=TRAINING, name="gpu-h200"):
        path = tmp_path / name
        path.mkdir()
        (path / "summary.json").write_text(json.dumps(summary))
        if steps is not None:
            content = {"shapes": "gpt2-small", "framework": "torch", "optimizers": steps}
            (path / "optimizers.json").write_text(json.dumps(content))
        if training is not None:
            (path / "gpt2-small-alphaadam.json").write_text(json.dumps(training))
        return path

    return make


def cells(table):
    return dict(table.rows)


def test_a_folder_is_one_result_and_its_step_times_are_results_of_their_own(folder):
    path = folder()
    write(path / "torch-speed-cuda.json", cell(device="cuda"))
    found = read([path.parent])
    assert found.unread == ()
    assert (len(found.gpus), len(found.speeds)) == (1, 1)
    assert files_of(path) == {path / "optimizers.json", path / "gpt2-small-alphaadam.json"}
    assert files_of(path.parent) == set()


def test_every_part_is_shown_and_a_failed_one_says_why(folder):
    (figure,) = GpuRun().draw(read([folder()]))
    assert figure.anchor == "gpu-run-gpu-h200"
    assert "NVIDIA H200, 570.1, 143771 MiB, beside Fast One, 16 cores" in figure.lead
    parts = cells(figure.tables[0])
    assert {names: row[0].value for names, row in parts.items()} == {
        ("every optimizer", "finished"): 30.5,
        ("step, Optax", "failed"): 12.0,
        ("data", "no time was left for it"): 0.0,
    }
    assert figure.missing == [
        "step, Optax: failed after 12 s; the last that it printed: RuntimeError: CUDA error: an illegal access <b>.",
        "data: no time was left for it after 0 s.",
    ]


def test_every_optimizer_is_shown_with_its_numbers_or_the_reason(folder):
    (figure,) = GpuRun().draw(read([folder()]))
    table = cells(figure.tables[1])
    assert [item.value for item in table["AlphaAdam",]] == [0.002, 1.9, 0.125, 80]
    assert {item.missing for item in table["Lion",]} == {"lion-pytorch is not installed"}
    (panel,) = figure.panels
    assert "AlphaAdam 1.90×, 2 ms" in panel.description
    assert "Lion missing: lion-pytorch is not installed" in panel.description
    assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")


def test_trainings_are_shown_as_far_as_they_came(folder):
    (figure,) = GpuRun().draw(read([folder()]))
    table = cells(figure.tables[2])
    assert [item.value for item in table["gpt2-small", "torch", "AlphaAdam"]] == [50, 25.0, 0.5, 7.5]


def test_what_a_run_did_not_leave_is_missing_with_the_reason(folder):
    (figure,) = GpuRun().draw(read([folder(steps=None, training=None)]))
    assert "The steps of the optimizers are missing: their part left no file." in figure.missing
    assert "The trainings are missing: no finished training left a file." in figure.missing
    assert len(figure.tables) == 1
    assert figure.panels == []


def test_what_cannot_be_read_is_named_and_costs_only_itself(folder):
    steps = {"alphaadam": {"seconds": "fast", "ratio": 1.5, "ratioSpread": 0.1, "stateBytes": 8}, "adamw": None}
    summary = {**SUMMARY, "parts": [None, {"name": "x"}, *SUMMARY["parts"]], "changedFiles": None, "machine": 3}
    found = read([folder(summary, steps, {**TRAINING, "trainingLoss": ["nan"]})])
    reasons = " ".join(item.reason for item in found.unread)
    assert "parts[0] has no name and outcome" in reasons
    assert "parts[1] has no name and outcome" in reasons
    assert "alphaadam: seconds cannot be read" in reasons
    assert "adamw: seconds, ratio, ratioSpread, stateBytes cannot be read" in reasons
    assert "Its last training loss is missing, or no number" in reasons
    (figure,) = GpuRun().draw(found)
    assert [item.value for item in cells(figure.tables[1])["AlphaAdam",]] == [None, 1.5, 0.1, 8]
    assert len(figure.tables[0].rows) == 3


def test_a_file_that_is_half_written_is_listed_and_the_summary_stays(folder):
    path = folder()
    (path / "gpt2-small-adamw.json").write_text('{"schema": "alphaadam-trial-1", "lo')
    (path / "optimizers.json").write_text('{"shapes": ')
    found = read([path])
    assert sorted(item.path.rpartition("/")[2] for item in found.unread) == ["gpt2-small-adamw.json", "optimizers.json"]
    assert len(found.gpus) == 1


def test_the_origin_has_gpu_versions_and_commit_and_no_name_of_the_host(folder):
    origin = load_gpu(folder() / "summary.json", lambda path, reason: None).origin()
    facts = dict(origin.facts)
    assert facts["GPU"] == "NVIDIA H200, 570.1, 143771 MiB"
    assert facts["commit"] == f"{'c' * 40} with 1 changed files"
    assert facts["versions"] == "torch 2.11.0"
    assert "secret-host" not in str(origin)
    assert origin.command == "python -m bench gpu"


def test_without_a_gpu_nothing_is_drawn_and_the_chapter_says_so(tmp_path):
    write(tmp_path / "torch-speed-cpu.json", cell())
    (figure,) = GpuRun().draw(read([tmp_path]))
    assert (figure.anchor, figure.panels, figure.tables) == ("gpu", [], [])
    assert figure.missing[0].startswith("No GPU was measured")


def test_a_trial_of_the_command_without_a_gpu_is_no_gpu(folder):
    write((path := folder({**SUMMARY, "gpu": None})) / "torch-speed-cpu.json", cell())
    first, second = GpuRun().draw(read([path]))
    assert first.missing[0].startswith("No GPU was measured")
    assert second.lead.startswith("no GPU: the command was only tried")


def test_step_times_on_a_gpu_are_enough_to_have_measured_one(tmp_path):
    write(tmp_path / "torch-speed-cuda.json", cell(device="cuda"))
    assert GpuRun().draw(read([tmp_path])) == []
    assert GpuRun().draw(Results()) == []


def test_two_folders_of_one_name_have_addresses_of_their_own(folder, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    found = read([folder(name="a/gpu"), folder(name="b/gpu")])
    assert [figure.anchor for figure in GpuRun().draw(found)] == ["gpu-run-gpu", "gpu-run-gpu-2"]


def test_the_chapter_of_cost_shows_it():
    (chapter,) = [chapter for chapter in CHAPTERS if chapter.anchor == "cost"]
    assert any(isinstance(chart, GpuRun) for chart in chapter.charts)
