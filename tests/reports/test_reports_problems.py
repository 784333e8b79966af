"""Tests of reading why something is missing."""

import json

import pytest

from reports.sources.problems import FILE, Problem, load_problems

FAILED = {
    "commit": "abc",
    "environment": "torch",
    "reason": "no <b>memory</b>",
    "when": "2026-01-01",
    "benchmark": "m.A.track_a",
    "kind": "failed",
    "version": "1",
    "parameters": ["'x', 'y'", "'x', 'z'"],
}


@pytest.fixture
def load(tmp_path):
    """Reads the folder: the problems, and the complaints."""

    def read():
        complaints = []
        return load_problems(tmp_path, lambda path, reason: complaints.append(reason)), complaints

    return read


def test_what_failed_is_read_and_what_was_skipped_is_not(tmp_path, load):
    everything = {**FAILED, "benchmark": "", "parameters": []}
    records = [FAILED, everything, {**FAILED, "kind": "skipped"}]
    (tmp_path / FILE).write_text("".join(json.dumps(record) + "\n" for record in records))
    first = Problem("abc", "torch", "m.A.track_a", ("'x', 'y'", "'x', 'z'"), "no <b>memory</b>", "2026-01-01")
    assert load() == ([first, first._replace(benchmark="", parameters=())], [])


def test_without_the_file_nothing_is_missing(load):
    assert load() == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        *("{", "[]", "null", '{"commit": "abc"}', "[" * 100_000),
        json.dumps({**FAILED, "parameters": [1]}),
        json.dumps({**FAILED, "reason": None}),
    ],
)
def test_a_broken_line_is_named_and_the_others_are_read(line, tmp_path, load):
    (tmp_path / FILE).write_text(f"{json.dumps(FAILED)}\n{line}\n{json.dumps(FAILED)}\n")
    problems, complaints = load()
    assert len(problems) == 2
    assert len(complaints) == 1
    assert complaints[0].startswith("Line 2 is no record of a problem")


def test_a_file_that_is_no_text_is_complained_about(tmp_path, load):
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    problems, complaints = load()
    assert problems == []
    assert complaints[0].startswith("It cannot be read")
