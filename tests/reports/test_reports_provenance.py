"""Where the numbers come from: every source has an entry, and a page of two commits says so."""

import inspect
import json

import pytest

from reports.page import render
from reports.provenance import provenance, warnings
from reports.results import Results
from reports.sources.conformance import Conformance
from reports.sources.read import read
from tests.reports import speed_files


@pytest.fixture
def load(conformance_data, conformance_file, full_folder):
    """Reads conformance results and asv's, both of one commit as they are."""
    return lambda: read([conformance_file(conformance_data), full_folder.root])


def test_every_source_says_where_it_comes_from():
    kinds = inspect.get_annotations(Results, eval_str=True)
    classes = [kind.__args__[0] for name, kind in kinds.items() if name != "unread"]
    assert Conformance in classes
    assert [one.__name__ for one in classes if not callable(getattr(one, "origin", None))] == []


def test_conformance_names_machine_commit_versions_vectors_and_command(conformance_data, load):
    conformance_data["adapters"][1]["error"] = "crashed <b>twice</b>"
    found = provenance(load())
    origin = found.origins[-1]
    facts = dict(origin.facts)
    assert origin.name.startswith("Conformance: ")
    assert facts["commit"] == conformance_data["commit"]
    assert facts["machine"] == "python 3.11.7, platform Linux, processor x86_64"
    assert facts["adapter torch"] == "alphaadam 0.1.0, some-library 9.8.7"
    assert facts["adapter keras-jax"].endswith("crashed <b>twice</b>")
    assert facts["vectors mask.json"] == f"6 tests, SHA-256 {'ab' * 32}"
    assert origin.command == "python -m suite run --adapter torch --adapter keras-jax"
    html = render(load(), "python -m reports a b")
    assert "crashed &lt;b&gt;twice&lt;/b&gt;" in html
    assert "<pre>python -m reports a b</pre>" in html
    assert "What the words for missing values mean" in html


def test_one_commit_needs_no_warning(load):
    assert warnings(load()) == []


def test_two_commits_are_named_with_what_is_of_each(conformance_data, load):
    conformance_data["commit"] = "feed" * 10
    [warning] = warnings(load())
    assert warning.startswith("What stands on this page is of different commits: asv on box (12345678); Conformance: ")
    assert warning.endswith("(feedfeed).")
    html = render(load(), "x")
    assert html.count("is of different commits") == 2  # at the top, and in the chapter


@pytest.mark.parametrize("commit", [None, "", 7])
def test_an_unknown_commit_is_said(conformance_data, load, commit):
    conformance_data["commit"] = commit
    assert [warning.endswith("does not say which commit was tested.") for warning in warnings(load())] == [True]


def test_step_times_of_two_versions_of_the_code_are_said(tmp_path):
    other = {**speed_files.ENVIRONMENT, "alphaadamSource": "another"}
    cells = [speed_files.cell(), speed_files.cell(shapes="gpt2-nano", environment=1)]
    speed_files.write(tmp_path / "one.json", cells[0])
    assert warnings(read([tmp_path])) == []
    speed_files.write(tmp_path / "two.json", *cells, environments=[speed_files.ENVIRONMENT, other])
    assert warnings(read([tmp_path])) == [
        "The step times are of 2 versions of alphaadam's source: their digests stand below."
    ]


def test_nothing_is_no_source():
    found = provenance(Results())
    assert found == ([], [], {})
    assert "No results were found." in render(Results(), "x")


def test_what_could_not_be_read_is_listed_and_said_at_the_top(tmp_path):
    (tmp_path / "half.json").write_text(json.dumps({"schema": "x"})[:-2])
    html = render(read([tmp_path]), "x")
    assert "half.json" in html.partition('id="unread"')[2]
    assert "1 result could not be read" in html
