"""Tests of comparisons with real trials in real processes, of a tiny task: kill, resume, retry."""

import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")

from bench.compare.pool import LocalPool
from bench.compare.report import report, table
from bench.compare.sweep import Progress, compare
from bench.compare.trials import read_record
from tests.bench.comparing import TASK, plan

DRIVER = """
import pickle, sys
from pathlib import Path
from bench.compare.sweep import compare
from bench.compare.pool import LocalPool
folder = Path(sys.argv[1])
compare(pickle.loads(sys.stdin.buffer.read()), folder, LocalPool(folder, 2))
"""


def workers_of(process):
    """Ids of the trials that a process started. In a long session it has other children, too."""
    with open(f"/proc/{process}/task/{process}/children") as file:
        children = [int(child) for child in file.read().split()]
    return [child for child in children if b"bench.compare.worker" in command_of(child)]


def command_of(process):
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return file.read()
    except FileNotFoundError:  # it has ended
        return b""


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)
    return found


def alive(process):
    """Whether a process is there and not only waits for its parent to take note of its end."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison from beginning to end, one job at a time, and its folder."""
    folder = tmp_path_factory.mktemp("finished")
    asked = plan(("adamw", "alphaadam"), (4e-3, 8e-3), (1,), extend=False, directions=True)
    return asked, compare(asked, folder, LocalPool(folder, 1)), folder


def test_a_record_holds_every_step_and_what_was_observed(finished):
    asked, _, folder = finished
    record = read_record(asked.search_trial("alphaadam", 8e-3).record_path(folder))
    assert [line["step"] for line in record["steps"]] == list(range(1, 11))
    assert all(line["loss"] > 0 and line["lr"] > 0 for line in record["steps"])
    observed = [line for line in record["steps"] if "gradientNorm" in line]
    assert [line["step"] for line in observed] == [1, 5, 10]
    for line in observed:
        assert line["updateNorm"] > 0
        assert len(line["maskFraction"]) == len(line["alpha"]) == len(record["header"]["tensors"])
        assert -1 <= line["gradientCorrelation"] <= 1
        assert {"directionalSharpness", "batchGradientNorm"} <= line.keys()
    assert observed[0]["maskFraction"] == [1] * len(record["header"]["tensors"])  # without history all are kept
    assert min(observed[1]["maskFraction"]) < 1
    assert [(line["budgetPercent"], line["step"]) for line in record["validation"]] == [
        (20, 2),
        (40, 4),
        (60, 6),
        (100, 10),
    ]
    assert record["footer"]["outcome"] == "finished"
    assert record["footer"]["budgetPercent"] == 100
    assert record["header"]["versions"].keys() >= {"alphaadam", "torch"}
    adamw = read_record(asked.search_trial("adamw", 8e-3).record_path(folder))
    assert "alpha" not in adamw["steps"][0]


def test_the_same_seed_gives_the_same_initial_loss(finished):
    _, results, folder = finished
    first = {TASK.seed: set(), 1: set()}
    for trial in results:
        first[trial.seed].add(read_record(trial.record_path(folder))["steps"][0]["loss"])
    assert len(results) == 6
    assert [len(losses) for losses in first.values()] == [1, 1]
    assert first[TASK.seed] != first[1]


def test_the_report_of_real_trials_is_whole(finished):
    asked, results, _ = finished
    content = report(asked, results)
    assert content["failedTrials"] == []
    assert content["optimizers"]["alphaadam"]["differenceToBaseline"]["n"] == 1
    assert "| alphaadam |" in table(content)


def test_killing_the_driver_loses_nothing_finished_and_leaves_no_worker(finished, tmp_path):
    asked, expected, _ = finished
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], stdin=subprocess.PIPE)
    driver.stdin.write(pickle.dumps(asked))
    driver.stdin.close()
    wait_for(lambda: len(list(tmp_path.glob("*.jsonl"))) >= 1)
    workers = wait_for(lambda: [child for child in workers_of(driver.pid) if alive(child)])
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    done = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("*.jsonl")}
    wait_for(lambda: not any(map(alive, workers)), seconds=10)
    done = {path: of_file for path, of_file in done.items() if path.exists()}
    assert done

    again = []

    class Counting(Progress):
        def ended(self, trial, result):
            again.append(trial)

    results = compare(asked, tmp_path, LocalPool(tmp_path, 2), Counting())
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in done} == done
    assert len(again) + len(done) <= len(results) == len(expected)
    assert not list(tmp_path.glob(".*.running"))
    # Two jobs at a time and an interruption give the figures of one job at a time, to the last bit.
    for trial, result in results.items():
        assert result["validation"].keys() == expected[trial]["validation"].keys()
        assert all(
            point["loss"] == expected[trial]["validation"][percent]["loss"]
            for percent, point in result["validation"].items()
        )


def test_a_worker_that_is_killed_is_tried_once_more(tmp_path):
    asked = plan(rates=(8e-3,), extend=False)
    killed = []

    class Killer(Progress):
        def show(self, pool, to_come):
            for child in workers_of(os.getpid()) if not killed else []:
                os.kill(child, signal.SIGKILL)
                killed.append(child)

        def retried(self, trial, error):
            assert error == "its process was ended by SIGKILL: without a word"

    class Impatient(LocalPool):
        def wait(self, seconds):
            return super().wait(0.05)

    results = compare(asked, tmp_path, Impatient(tmp_path, 1), Killer())
    assert len(killed) == 1
    assert [found["attempts"] for found in results.values()] == [2, 1]
    assert [found["outcome"] for found in results.values()] == ["finished", "finished"]


def test_a_trial_that_cannot_run_fails_with_its_error(tmp_path):
    from dataclasses import replace

    from bench.tasks.execution import Execution

    asked = replace(plan(rates=(8e-3,), seeds=(1,), extend=False), execution=Execution(micro_batches=3))
    (found,) = compare(asked, tmp_path, LocalPool(tmp_path, 1)).values()
    assert (found["outcome"], found["attempts"]) == ("failed", 2)
    assert found["error"].startswith("its process ended with exit code 1: ")
    assert f"a batch of {TASK.batch_size} sequences cannot be cut into 3 equal parts" in found["error"]
    assert len(list((tmp_path / "unfinished").iterdir())) == 2
