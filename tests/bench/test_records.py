"""Tests of bench.records."""

import json
import math

import pytest

from bench.records import memoised, read_json, write_json


def test_what_is_written_is_read_back(tmp_path):
    write_json(tmp_path / "new folder" / "record.json", {"loss": [0.1, 2.5]})
    assert read_json(tmp_path / "new folder" / "record.json") == {"loss": [0.1, 2.5]}


def test_numbers_stand_in_one_line_and_text_is_left_as_it_is(tmp_path):
    content = {"loss": [0.1, -2.5e-10, 3], "none": [], "text": "[\n 1,\n 2\n]", "names": ["a", "b"], "pairs": [[1, 2]]}
    write_json(tmp_path / "record.json", content)
    text = (tmp_path / "record.json").read_text()
    assert read_json(tmp_path / "record.json") == content
    assert ' "loss": [0.1, -2.5e-10, 3],\n' in text
    assert ' "names": [\n  "a",\n  "b"\n ],\n' in text


def test_a_failed_write_leaves_the_good_file_and_nothing_else(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"loss": math.nan})
    with pytest.raises(TypeError):
        write_json(path, {"loss": object()})
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
    assert json.loads(path.read_text()) == 1


def test_a_broken_file_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"loss": ')
    with pytest.raises(ValueError, match=r"record\.json is not a JSON file.*delete it and run again"):
        read_json(path)


def test_a_memoised_value_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert memoised("run", lambda: [1.5]) == [1.5]
    assert memoised("run", lambda: pytest.fail("computed again")) == [1.5]
    assert memoised("other run", lambda: [2.5]) == [2.5]


def test_a_memoised_failure_is_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"(?s)run failed:.*ZeroDivisionError"):
        memoised("run", lambda: 1 / 0)
    with pytest.raises(RuntimeError, match=r"(?s)run failed:.*ZeroDivisionError"):
        memoised("run", lambda: pytest.fail("computed again"))


def test_an_interruption_is_not_memoised(tmp_path, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        memoised("run", interrupted)
    assert memoised("run", lambda: 1) == 1
