"""Tests of how a comparison is carried out, with a pool that trains nothing."""

import json

import pytest

from bench.compare.pool import Ended
from bench.compare.sweep import compare
from bench.compare.trials import line_of, read_record
from bench.records import write_text
from tests.bench.comparing import plan, result, valley

CODE = {"commit": "0" * 40, "dirty": False}


class FakePool:
    """Runs one attempt at a time and writes the record of a valley at 2e-3.

    Args:
        folder: Folder of the records.
        dies: For an attempt, the error that it dies with, or None.
        outcome: How a trial that does not die ends.
    """

    def __init__(self, folder, dies=lambda attempt: None, outcome=lambda trial: "finished"):
        self.folder, self.dies, self.outcome = folder, dies, outcome
        self.running, self.started, self.closed = [], [], None

    def has_room(self):
        return not self.running

    def start(self, attempt):
        self.started.append(attempt)
        self.running.append(attempt)

    def wait(self, seconds):
        attempt = self.running.pop()
        error = self.dies(attempt)
        if isinstance(error, BaseException):
            self.running.append(attempt)
            raise error
        if error is None:
            trial = attempt.trial
            made = result(trial, valley(2e-3)(trial), self.outcome(trial))
            lines = [attempt.header({"torch": "2"}, {})]
            lines += [{"kind": "validation", "budgetPercent": p, **at} for p, at in made["validation"].items()]
            lines += [{"kind": "footer", "outcome": made["outcome"], "divergedAtStep": made["divergedAtStep"]}]
            write_text(trial.record_path(self.folder), "".join(map(line_of, lines)))
        return [Ended(attempt, error)]

    def steps(self):
        return {attempt.trial: 0 for attempt in self.running}

    def close(self, reason):
        self.closed = reason


def carry_out(folder, pool=None, **settings):
    pool = pool or FakePool(folder)
    return pool, compare(plan(**settings), folder, pool, code=lambda: CODE)


def test_every_trial_gets_a_record_that_says_what_ran(tmp_path):
    pool, results = carry_out(tmp_path)
    assert len(results) == len(pool.started) == 5
    assert {path.name for path in tmp_path.iterdir()} == {f"{trial.name}.jsonl" for trial in results}
    trial = next(iter(results))
    header = read_record(trial.record_path(tmp_path))["header"]
    assert header | trial.settings() == header
    assert (header["attempt"], header["earlierAttempts"], header["code"]) == (1, [], CODE)
    assert header["hyperparameters"] == {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1}
    assert results[trial]["validation"][100]["loss"] == pytest.approx(valley(2e-3)(trial))


def test_what_is_done_is_not_done_again(tmp_path):
    _, results = carry_out(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    pool, again = carry_out(tmp_path)
    assert pool.started == []
    assert again == results
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_settings_are_other_trials(tmp_path):
    carry_out(tmp_path)
    for settings in ({"threads": 2}, {"every": 7}, {"directions": True}):
        pool, _ = carry_out(tmp_path, **settings)
        assert len(pool.started) == 5
    pool, _ = carry_out(tmp_path, seeds=(1, 2, 3))
    assert [attempt.trial.seed for attempt in pool.started] == [3]


@pytest.mark.parametrize("stops", range(5))
def test_an_interrupted_comparison_resumes_where_it_stopped(tmp_path, stops):
    interrupted = FakePool(tmp_path)
    interrupted.dies = lambda attempt: KeyboardInterrupt() if len(interrupted.started) > stops else None
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, interrupted)
    assert interrupted.closed == "the comparison was interrupted while the trial ran"
    pool, results = carry_out(tmp_path)
    assert (len(pool.started), len(results)) == (5 - stops, 5)


def test_a_trial_that_dies_is_tried_once_more_and_that_is_recorded(tmp_path):
    dies = lambda attempt: "killed" if not attempt.earlier and attempt.trial.learning_rate == 4e-3 else None  # noqa: E731
    pool, results = carry_out(tmp_path, FakePool(tmp_path, dies))
    assert len(pool.started) == 6
    twice = [trial for trial, found in results.items() if found["attempts"] == 2]
    assert [trial.learning_rate for trial in twice] == [4e-3]
    header = read_record(twice[0].record_path(tmp_path))["header"]
    assert header["earlierAttempts"] == ["killed"]


def test_a_trial_that_dies_twice_has_failed_and_the_others_go_on(tmp_path):
    dies = lambda attempt: f"killed {len(attempt.earlier)}" if attempt.trial.learning_rate == 4e-3 else None  # noqa: E731
    pool, results = carry_out(tmp_path, FakePool(tmp_path, dies))
    assert len(pool.started) == 6
    (failed,) = [trial for trial, found in results.items() if found["outcome"] == "failed"]
    assert (results[failed]["error"], results[failed]["attempts"]) == ("killed 1", 2)
    record = read_record(failed.failure_path(tmp_path))
    assert record["header"]["earlierAttempts"] == ["killed 0"]
    assert not failed.record_path(tmp_path).exists()
    # A failure is not done: it is tried anew, and forgotten when it goes well.
    pool, results = carry_out(tmp_path)
    assert [attempt.trial for attempt in pool.started] == [failed]
    assert not failed.failure_path(tmp_path).exists()


def test_a_diverged_trial_is_a_result(tmp_path):
    _, results = carry_out(
        tmp_path, FakePool(tmp_path, outcome=lambda t: "diverged" if t.learning_rate == 4e-3 else "finished")
    )
    assert [found["divergedAtStep"] for found in results.values() if found["outcome"] == "diverged"] == [3]
    assert carry_out(tmp_path)[0].started == []


def test_what_a_killed_comparison_left_is_set_aside_with_a_reason(tmp_path):
    trial = plan().wanted({})[0]
    left = tmp_path / f".{trial.name}.123.running"
    left.write_text('{"kind":"header"}\n{"kind":"st')
    pool, _ = carry_out(tmp_path)
    assert len(pool.started) == 5
    assert not left.exists()
    (kept,) = (tmp_path / "unfinished").iterdir()
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert lines == [
        {"kind": "header"},
        {"kind": "unfinished", "reason": "the comparison was killed while the trial ran"},
    ]


@pytest.mark.parametrize("content", ["{", '{"kind":"header"}\n', '{"a":1}\n', "[]\n"])
def test_a_broken_record_is_named(tmp_path, content):
    path = plan().wanted({})[0].record_path(tmp_path)
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"{path.name} is not .*; delete it and run again"):
        carry_out(tmp_path)


def test_two_comparisons_in_a_folder_are_refused(tmp_path):
    pool = FakePool(tmp_path)
    pool.dies = lambda attempt: carry_out(tmp_path)
    with pytest.raises(RuntimeError, match=r"another comparison runs in .*; wait for it or give another folder"):
        carry_out(tmp_path, pool)
