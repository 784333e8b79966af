"""The table of two implementations says how far they are apart, where one is known to deviate, and what was not run."""

import json

import pytest

from reports.charts.field.agreement import COLUMNS, TwoImplementations
from reports.field import main
from reports.page import render
from reports.provenance import provenance
from reports.sources.agreement import load_agreement
from reports.sources.error import SourceError
from reports.sources.read import read
from tests.reports import hostile


@pytest.fixture
def path(tmp_path):
    [path] = hostile.agreement(tmp_path / "results")
    return path


@pytest.fixture
def change(path):
    """Change the file, and read it: what it holds, and what was complained about."""

    def change(edit):
        data = json.loads(path.read_text())
        edit(data)
        path.write_text(json.dumps(data))
        complaints = []
        return load_agreement(path, lambda path, reason: complaints.append(reason)), complaints

    return change


def rows(path):
    """The table: (optimizer, framework) to cells by column."""
    [figure] = TwoImplementations().draw(read([path]))
    [table] = figure.tables
    assert table.columns[4:] == COLUMNS
    return {head: dict(zip(COLUMNS, cells, strict=True)) for head, cells in table.rows}


def test_a_pair_has_its_counts_and_its_largest_distances(path):
    row = rows(path)["Adan", "PyTorch", "alphaadam 0.1.0 (torch-baselines)", "some-library 9.8 (some-library)"]
    assert (row["cases compared"].value, row["not compared"].value, row["bitwise equal"].value) == (3, 2, 1)
    assert row["largest distance, ulp"].value == 4  # not the 1e6 of the case that is known to deviate
    assert row["largest relative distance"].value == 2e-7
    assert row["where one is known to deviate"].text == "1 case, up to 0.25 relative. some-library: Counts from 1."


def test_optimizers_and_frameworks_stand_in_the_order_of_the_page(path):
    assert [head[:2] for head in rows(path)] == [("AdamW", "JAX"), ("Adan", "PyTorch")]


def test_a_pair_of_which_nothing_was_compared_says_so(path):
    row = rows(path)["AdamW", "JAX", "optax 0.2.8 (optax-adamw)", "alphaadam 0.1.0 (optax-as-adamw)"]
    assert row["cases compared"].value == 0
    assert row["bitwise equal"].missing == row["largest distance, ulp"].missing == "no case was compared"
    assert row["where one is known to deviate"].text == "nowhere"


def test_a_pair_that_was_compared_only_where_one_deviates_says_so(path, change):
    change(lambda data: data["pairs"][0]["cases"].__delitem__(slice(0, 2)))
    [row] = [row for head, row in rows(path).items() if head[0] == "Adan"]
    assert row["cases compared"].value == 1
    assert row["largest distance, ulp"].missing == "only where one is known to deviate"


def test_a_relative_distance_of_half_precision_is_none_of_the_largest(path, change):
    change(lambda data: data["pairs"][0]["cases"][0].update(dtype="bfloat16", largestUlp=64.0, largestRelative=1.0))
    [row] = [row for head, row in rows(path).items() if head[0] == "Adan"]
    assert (row["largest distance, ulp"].value, row["largest relative distance"].value) == (64, 2e-7)


def test_an_infinite_distance_is_shown_as_such(path, change):
    change(lambda data: data["pairs"][0]["cases"][1].update(largestUlp="Infinity"))
    [row] = [row for head, row in rows(path).items() if head[0] == "Adan"]
    assert row["largest distance, ulp"].text == "∞"


def test_the_page_and_the_provenance_have_it(path):
    results = read([path])
    assert 'id="two-implementations' in render(results, "python -m reports")
    [origin] = provenance(results).origins
    facts = dict(origin.facts)
    assert facts["commit"] == "ab" * 20
    assert facts["adapter gone"] == "No module named 'gone'"
    assert facts["vectors adan.json"].startswith("22 tests")
    assert origin.command.startswith("python -m suite agree --adapter torch-baselines --adapter some-library")


def test_two_files_have_a_table_each(path):
    (path.parent / "again.json").write_text(path.read_text())
    figures = TwoImplementations().draw(read([path.parent]))
    assert [figure.anchor for figure in figures] == [
        "two-implementations-results-again-json",
        "two-implementations-results-agreement-json",
    ]


def test_the_table_in_markdown(path, capsys):
    assert main([str(path)]) == 0
    printed = capsys.readouterr().out
    assert "## Two implementations of one rule in one framework" in printed
    assert "| 3 | 2 | 1 | 4 | 2e-07 | 1 case, up to 0.25 relative. some-library: Counts from 1. |" in printed


@pytest.mark.parametrize(
    ("edit", "complaint", "pairs"),
    [
        (lambda pair: pair.pop("optimizer"), "pairs[0]: left out, it has no optimizer, no two adapters", 1),
        (lambda pair: pair.update(adapters=["torch-baselines", "unknown"]), "pairs[0]: left out, it has no opt", 1),
        (lambda pair: pair.update(adapters=["torch-baselines", []]), "pairs[0]: left out, it has no optimizer", 1),
        (
            lambda pair: pair["cases"][0].update(outcome="near"),
            "pairs[0].cases[0]: left out, its outcome is none",
            2,
        ),
        (lambda pair: pair["cases"][1].update(largestUlp=None), "pairs[0].cases[1]: left out, it does not say how", 2),
        (lambda pair: pair["cases"][1].update(largestUlp=-1), "pairs[0].cases[1]: left out, it does not say how", 2),
    ],
)
def test_what_is_broken_is_left_out_and_named(change, edit, complaint, pairs):
    agreement, complaints = change(lambda data: edit(data["pairs"][0]))
    assert [one for one in complaints if one.startswith(complaint)] == complaints != []
    assert len(agreement.pairs) == pairs


def test_of_two_entries_of_one_pair_the_first_stands(change):
    agreement, complaints = change(lambda data: data["pairs"].append({**data["pairs"][0], "cases": []}))
    assert complaints == ["pairs[2]: left out, these two were compared before."]
    assert len(agreement.pairs[0].cases) == 5


@pytest.mark.parametrize("key", ["pairs", "adapters"])
def test_a_file_without_its_lists_is_refused(change, key):
    with pytest.raises(SourceError, match=f"no list of {key}"):
        change(lambda data: data.pop(key))
