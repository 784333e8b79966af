"""Tests of bench.changes.comparison and of its processes."""

import io
import json
import math
import shutil
from pathlib import Path

import pytest

from bench.changes import commands as changes_commands
from bench.changes import comparison as changes
from bench.changes import processes as changes_processes
from bench.changes import worker as changes_worker
from bench.changes.power import plant
from bench.changes.processes import Case, WorkerError
from bench.changes.verdicts import SLOWER, UNCHANGED
from bench.changes.versions import PACKAGES, ROOT, Version

CODE = ROOT / PACKAGES
CASES = [Case("torch", "alphaadam", "1x1000"), Case("torch", "adamw", "1x1000")]


def made(name, folder=Path("nowhere")):
    return Version(name, name * 40, f"subject of {name}", f"digest of {name}", folder)


@pytest.fixture
def launched(monkeypatch):
    """Launches that take no time: AlphaAdam has become 10 % slower. Returns their numbers."""
    numbers = []

    def launch(cases, base, head, core, seed, passes):
        numbers.append(seed)
        return {case: (math.log(1.1) if case.optimizer == "alphaadam" else 0.0) + 1e-3 * (seed % 3) for case in cases}

    monkeypatch.setattr(changes, "launch", launch)
    return numbers


def test_a_comparison_that_was_interrupted_goes_on_where_it_stopped(launched, tmp_path):
    path = tmp_path / "file.json"
    progress = []
    changes.compare(made("a"), made("b"), CASES, path, launches=3)
    content = changes.compare(
        made("a"), made("b"), CASES, path, launches=10, progress=lambda done, of: progress.append((done, of))
    )
    assert sorted(launched) == list(range(10))
    assert progress == [(number, 10) for number in range(3, 11)]
    assert json.loads(path.read_text()) == content
    assert {row["optimizer"]: row["word"] for row in changes.findings(content)} == {
        "alphaadam": SLOWER,
        "adamw": UNCHANGED,
    }


def test_launches_of_something_else_are_not_mixed_in(launched, tmp_path):
    path = tmp_path / "file.json"
    changes.compare(made("a"), made("b"), CASES, path, launches=1)
    with pytest.raises(ValueError, match="is of another comparison: its 'head' is"):
        changes.compare(made("a"), made("c"), CASES, path, launches=1)
    with pytest.raises(ValueError, match="its 'cases' is"):
        changes.compare(made("a"), made("b"), CASES[:1], path, launches=1)


def test_the_table_begins_with_what_has_changed_and_names_what_is_missing(launched, tmp_path):
    content = changes.compare(made("a"), made("b"), [CASES[1], CASES[0]], tmp_path / "file.json", launches=10)
    rows = [line for line in changes.render(content).splitlines() if line.startswith("| torch")]
    assert [row.split(" | ")[1] for row in rows] == ["alphaadam", "adamw"]
    assert rows[0].endswith("| slower |")
    assert " 1.101 " in rows[0]
    content["launches"]["4"][str(CASES[1])] = "head: Traceback\nTypeError: not so"
    assert "| torch | adamw | 1x1000 | – | – | – | not measured: TypeError: not so |" in changes.render(content)


def test_a_slower_kernel_shows_and_the_same_code_does_not(tmp_path):
    """Real processes. The plant is ten times the usual, so that one launch shows it whatever the machine does."""
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    slow = tmp_path / "slow"
    shutil.copytree(CODE, slow, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    plant(slow)
    module = slow / "alphaadam" / "torch" / "_numba.py"
    module.write_text(module.read_text().replace("< 0.1 *", "< 3.0 *"))
    cases = [Case("torch", optimizer, "1x300000") for optimizer in ("alphaadam", "adamw")]
    found = changes_processes.launch(cases, CODE, slow, changes_processes.cores()[-1], seed=1, passes=1)
    assert found[cases[0]] > math.log(2)
    assert abs(found[cases[1]]) < math.log(2)


def test_a_broken_version_is_named_with_its_traceback(tmp_path):
    broken = tmp_path / "broken"
    (broken / "alphaadam").mkdir(parents=True)
    (broken / "alphaadam" / "__init__.py").write_text("import no_such_module\n")
    found = changes_processes.launch(CASES, CODE, broken, changes_processes.cores()[0], seed=0)
    for case in CASES:
        assert found[case].startswith("head: Traceback")
        assert "no_such_module" in found[case]


def test_a_process_that_ends_is_no_hanging(tmp_path):
    (tmp_path / "alphaadam").mkdir()
    (tmp_path / "alphaadam" / "__init__.py").write_text("import os; os._exit(7)\n")
    with changes_processes.Worker("torch", tmp_path, changes_processes.cores()[0], 10) as worker:
        worker.ask(build=["alphaadam", "1x1000"])
        with pytest.raises(WorkerError, match="ended with exit code 7"):
            worker.seconds()


def test_the_worker_measures_the_code_it_was_given_or_nothing(tmp_path):
    with pytest.raises(RuntimeError, match=r"alphaadam was imported from .* instead of"):
        changes_worker._load("torch", tmp_path)


def test_the_worker_answers_each_request_and_lives_through_errors(monkeypatch):
    def builder(module, optimizer, shapes):
        if optimizer == "wrong":
            raise ValueError("no such optimizer")
        return lambda steps: [0.5] * steps

    monkeypatch.setattr(changes_worker, "_builder", builder)
    loads = []
    requests = [{"build": ["wrong", "s"]}, {"build": ["right", "s"]}, {"steps": 3}]
    answers = io.StringIO()
    monkeypatch.setattr(changes_worker.gc, "disable", lambda: None)
    monkeypatch.setattr(changes_worker.gc, "freeze", lambda: None)
    changes_worker.serve(
        io.StringIO("".join(json.dumps(one) + "\n" for one in requests)), answers, lambda: loads.append(1) or "module"
    )
    error, built, steps = map(json.loads, answers.getvalue().splitlines())
    assert "no such optimizer" in error["error"]
    assert built == {"seconds": [0.5]}
    assert steps == {"seconds": [0.5] * 3}
    assert loads == [1]


def test_work_folders_say_that_they_hold_no_results(tmp_path):
    folder = changes_commands._work_folder(tmp_path / "results" / "changes")
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
