"""Tests of reading why something is missing."""

import json

import pytest

from reports.sources.error import SourceError
from reports.sources.problems import FILE, problem_lines

FAILED = {
    "commit": "abc",
    "environment": "torch",
    "reason": "no memory",
    "when": "2026-01-01",
    "benchmark": "m.A.track_a",
    "kind": "failed",
    "version": "1",
    "parameters": ["'x', 'y'", "'x', 'z'"],
}


def test_what_failed_at_the_commit_is_said_in_words(tmp_path):
    everything = {**FAILED, "benchmark": "", "parameters": []}
    records = [FAILED, everything, {**FAILED, "commit": "def"}, {**FAILED, "kind": "skipped"}]
    (tmp_path / FILE).write_text("".join(json.dumps(record) + "\n" for record in records))
    assert problem_lines(tmp_path, "abc") == [
        "Not measured in torch: m.A.track_a ('x', 'y'; 'x', 'z'): no memory (tried 2026-01-01)",
        "Not measured in torch: everything: no memory (tried 2026-01-01)",
    ]


def test_without_the_file_nothing_is_missing(tmp_path):
    assert problem_lines(tmp_path, "abc") == []


@pytest.mark.parametrize("line", ["{", "[]", '{"commit": "abc"}'])
def test_a_broken_line_is_named(line, tmp_path):
    (tmp_path / FILE).write_text(line + "\n")
    with pytest.raises(SourceError, match=f"{FILE}, line 1"):
        problem_lines(tmp_path, "abc")
