"""What git says of commits, and the options that name it."""

import argparse
import subprocess
from pathlib import Path

import pytest

from reports.sources.error import SourceError
from reports.sources.repository import Repository, add_arguments, as_arguments, from_arguments

NAME = "a" * 40


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_where_there_is_no_repository_nothing_is_known(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", None):
        repository = Repository(path)
        assert repository.known([NAME]) == {}
        assert repository.resolve("HEAD") == ""


@pytest.mark.parametrize("name", ["--all", "--output=x", "\x00", "a\nb", "", NAME[:39], NAME.upper()])
def test_what_is_no_hash_is_neither_asked_for_nor_linked_to(name):
    repository = Repository(Path(), "https://example.org/")
    assert repository.known([name]) == {}
    assert repository.link(name) == ""


@pytest.fixture
def here(tmp_path):
    """The option that names a new repository."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return ("--repository", str(tmp_path))


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_a_folder_that_was_named_and_is_in_no_repository_is_an_error(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=f"--repository {folder}: git finds no repository there"):
        from_arguments(options("--repository", folder))
    assert from_arguments(options()).known([NAME]) == {}


def test_the_address_is_that_of_the_option_or_of_the_configuration(here, tmp_path):
    assert from_arguments(options(*here)).link(NAME) == ""
    (tmp_path / "asv.conf.json").write_text('{"show_commit_url": "https://example.org/c/", /* a comment */ "a": 1}')
    assert from_arguments(options(*here)).link(NAME) == f"https://example.org/c/{NAME}"
    assert from_arguments(options(*here, "--commit-url", "http://b.org/")).link(NAME) == f"http://b.org/{NAME}"
    assert from_arguments(options(*here, "--commit-url", "")).link(NAME) == ""


@pytest.mark.parametrize("url", ["javascript:alert(1)//", "//example.org/", "https:", "http://[", "file:///etc/"])
def test_an_address_that_is_none_of_the_web_is_refused_or_ignored(url, here, tmp_path):
    with pytest.raises(SourceError, match="begins with neither"):
        from_arguments(options("--commit-url", url))
    (tmp_path / "asv.conf.json").write_text(f'{{"show_commit_url": "{url}"}}')
    assert from_arguments(options(*here)).url == ""


@pytest.mark.parametrize("content", ["{", "[]", '{"show_commit_url": 3}'])
def test_a_broken_configuration_gives_no_links(content, here, tmp_path):
    (tmp_path / "asv.conf.json").write_text(content)
    assert from_arguments(options(*here)).url == ""


def test_options_can_be_written_again():
    for written in (
        [],
        ["--repository", "x"],
        ["--commit-url", ""],
        ["--repository", "x", "--commit-url", "https://y/"],
    ):
        assert as_arguments(options(*written)) == written
