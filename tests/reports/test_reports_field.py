"""The table of all optimizers puts side by side what belongs together, and says why a cell is empty."""

import json
from pathlib import Path

import pytest

from reports.charts.field.implementations import COLUMNS, Field
from reports.field import main
from reports.page import render
from reports.sources.costs import load_costs
from reports.sources.error import SourceError
from reports.sources.read import read
from tests.reports import hostile
from tests.reports.comparison_folders import SEEDS, STEPS, ComparisonFolder, loss


def result(adapter, number, outcome="pass", dtype="float32", optimizer="EXAdam", **others):
    """One case of an optimizer's vectors."""
    return {
        "file": "exadam.json",
        "optimizer": optimizer,
        "id": f"case-{number}",
        "type": "Trajectory" if dtype else "InvalidHyperparameters",
        "dtype": dtype,
        "adapter": adapter,
        "outcome": outcome,
        "message": "",
        "largestUlp": {"params": 3.5},
        "largestRelative": 1e-6,
        "notReported": [],
        "firstDifference": None,
        "deviation": None,
        **others,
    }


@pytest.fixture
def folder(tmp_path, conformance_data):
    """Results of every kind: costs in PyTorch, vectors of two implementations there and one in JAX, a comparison."""
    hostile.costs(tmp_path)
    ours, library, jax = "torch-baselines", "some-library", "optax-baselines"
    conformance_data["adapters"] = [
        {"name": ours, "versions": {"alphaadam": "0.1.0", "torch": "2.13.0"}, "optimizers": ["EXAdam"]},
        {"name": library, "versions": {"some-library": "9.8", "torch": "2.13.0"}, "optimizers": ["EXAdam", "Adan"]},
        {"name": jax, "versions": {"alphaadam": "0.1.0", "optax": "0.2.8", "jax": "0.10"}, "optimizers": ["EXAdam"]},
    ]
    conformance_data["results"] = [
        result(ours, 1),
        result(ours, 2, dtype="float64", largestUlp={"params": 7.0}, largestRelative=5e-15),
        result(ours, 3, dtype=None, largestUlp={}, largestRelative=None),
        result(library, 1),
        result(library, 2, "expected-deviation", largestUlp={"params": 1e6}, largestRelative=0.25, dtype="float32"),
        result(library, 3, "skipped"),
        result(jax, 1),
    ]
    (tmp_path / "conformance.json").write_text(json.dumps(conformance_data))
    comparison = ComparisonFolder(tmp_path / "nano", task="gpt2-nano")
    for optimizer in ("adamw", "exadam"):
        for seed in SEEDS:
            comparison.write(optimizer, 0.002, seed)
    return tmp_path


def rows(folder):
    """The table: (optimizer, framework, implementation) to cells by column."""
    [figure] = Field().draw(read([folder]))
    [table] = figure.tables
    assert table.columns[3:] == COLUMNS
    return {head: dict(zip(COLUMNS, cells, strict=True)) for head, cells in table.rows}


def test_an_implementation_has_its_vectors_its_cost_and_its_loss(folder):
    row = rows(folder)["EXAdam", "PyTorch", "alphaadam 0.1.0 (torch-baselines)"]
    assert row["vectors passed"].text == "2 of 2"  # that of invalid hyperparameters is none of a step
    assert row["deviate"].value == 0
    assert row["largest distance, ulp"].value == 7
    assert row["largest relative distance"].value == 1e-6  # float64's is smaller by its precision, and not looked at
    assert row["state, bytes per parameter"].value == 8
    assert row["step time, × AdamW"].text == "2.00 (1.90 to 2.25)"
    mean = sum(loss("exadam", 0.002, seed, STEPS) for seed in SEEDS) / len(SEEDS)
    assert row["loss at the end"].value == pytest.approx(mean, abs=1e-9)  # the same numbers in another order
    assert "n = 3" in row["loss at the end"].text
    assert row["takes"].text == "every tensor"


def test_another_library_in_the_same_framework_has_no_cost_but_its_deviation(folder):
    row = rows(folder)["EXAdam", "PyTorch", "some-library 9.8 (some-library)"]
    assert (row["vectors passed"].text, row["deviate"].value) == ("1 of 2", 1)
    assert row["largest distance, ulp"].value == 3.5
    assert row["largest relative distance"].value == 0.25
    assert row["step time, × AdamW"].missing == "only its vectors were run"


def test_what_moved_where_nothing_should_is_infinitely_far(folder, conformance_data):
    conformance_data["results"][4].update(largestUlp={"params": "Infinity"}, largestRelative="Infinity")
    (folder / "conformance.json").write_text(json.dumps(conformance_data))
    row = rows(folder)["EXAdam", "PyTorch", "some-library 9.8 (some-library)"]
    assert row["largest relative distance"].text == "∞"
    assert row["largest distance, ulp"].value == 3.5  # of what passes
    assert "∞" in render(read([folder]), "python -m reports")


def test_a_setting_of_alphaadam_has_the_tests_with_this_setting(folder, conformance_data):
    versions = {"alphaadam": "0.1.0", "torch": "2.13.0"}
    conformance_data["adapters"] = [{"name": "torch", "versions": versions, "optimizers": ["AlphaAdam"]}]
    conformance_data["results"] = [
        result("torch", place, optimizer="AlphaAdam", id=name)
        for place, name in enumerate(
            ["sync-mask/decay", "sync-mask/run", "sync-maskless", "async-mask/run", "adamw/run"]
        )
    ]
    (folder / "conformance.json").write_text(json.dumps(conformance_data))
    costs = json.loads((folder / "costs-torch.json").read_text())
    costs["optimizers"]["adamw-sm"] = costs["optimizers"]["exadam"]
    (folder / "costs-torch.json").write_text(json.dumps(costs))
    row = rows(folder)["AdamW+SM", "PyTorch", "alphaadam 0.1.0 (torch)"]
    assert row["vectors passed"].text == "2 of 2"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_costs_are_of_the_backend_that_they_were_measured_on(folder, conformance_data, backend):
    versions = {"alphaadam": "0.1.0", "keras": "3.15.1"}
    names = [f"keras-{one}-baselines" for one in ("jax", "torch")]
    conformance_data["adapters"] = [
        {"name": name, "versions": {**versions, name.split("-")[1]: "1"}, "optimizers": ["EXAdam"]} for name in names
    ]
    conformance_data["results"] = [result(name, 1) for name in names]
    (folder / "conformance.json").write_text(json.dumps(conformance_data))
    costs = json.loads((folder / "costs-torch.json").read_text())
    costs["framework"] = "keras"
    costs["environments"] = [{"versions": {**versions, backend: "1"}}]
    (folder / "costs-keras.json").write_text(json.dumps(costs))
    table = rows(folder)
    [measured, other] = [
        row["step time, × AdamW"]
        for (optimizer, framework, _), row in table.items()
        if (optimizer, framework) == ("EXAdam", "Keras")
    ]
    assert measured.text == "2.00 (1.90 to 2.25)"
    assert other.missing == "only its vectors were run"
    assert ("EXAdam", "Keras", f"alphaadam 0.1.0 (keras-{backend}-baselines)") == next(
        head for head in table if head[:2] == ("EXAdam", "Keras")
    )


def test_what_is_missing_says_why(folder):
    table = rows(folder)
    assert (
        table["Adan", "PyTorch", "some-library 9.8 (some-library)"]["vectors passed"].missing == "no vectors were run"
    )
    assert ("AdamW", "PyTorch", "torch 2.13.0") in table  # measured, without vectors
    assert table["AdamW", "PyTorch", "torch 2.13.0"]["vectors passed"].missing == "no vectors were run"


def test_an_optimizer_that_could_not_be_measured_gives_its_reason(folder):
    (folder / "conformance.json").unlink()
    row = rows(folder)["Adan", "PyTorch", "none"]
    assert row["state, bytes per parameter"].missing == "not installed"
    assert row["loss at the end"].missing == "not trained"


def test_the_page_has_the_table(folder):
    page = render(read([folder]), "python -m reports")
    assert 'id="field-gpt2-nano' in page
    assert "alphaadam 0.1.0 (torch-baselines)" in page


def test_no_costs_no_table(folder, capsys):
    (folder / "costs-torch.json").unlink()
    assert Field().draw(read([folder])) == []
    assert main([str(folder)]) == 1
    assert "python -m bench costs" in capsys.readouterr().err


def test_the_table_in_markdown(folder, capsys):
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    header, rule, *rows = (line for line in lines if line.startswith("|"))
    assert header.count("|") == rule.count("|") == 3 + len(COLUMNS) + 1
    [row] = (line for line in rows if line.startswith("| EXAdam | PyTorch | alphaadam"))
    assert row.count("|") == header.count("|")
    assert "| 2.00 (1.90 to 2.25) |" in row
    assert any("– (no vectors were run)" in line for line in rows)


def test_an_entry_without_figures_or_reason_is_left_out_and_named(tmp_path):
    [path] = hostile.costs(tmp_path)
    data = json.loads(path.read_text())
    data["optimizers"]["exadam"]["ratio"]["median"] = 99.0  # beyond its quartiles
    path.write_text(json.dumps(data))
    complaints = []
    costs = load_costs(path, lambda path, reason: complaints.append(reason))
    assert list(costs.optimizers) == ["adamw", "adan"]
    assert complaints == ["optimizers: 'exadam' is left out, it has neither all figures nor a reason."]


def test_a_file_without_a_framework_is_refused(tmp_path):
    [path] = hostile.costs(tmp_path)
    data = json.loads(path.read_text())
    del data["framework"]
    path.write_text(json.dumps(data))
    with pytest.raises(SourceError, match="names no framework"):
        load_costs(path, lambda path, reason: None)


def test_the_page_in_the_documentation_is_what_the_command_prints(capsys):
    root = Path(__file__).parents[2]
    assert main([str(root / "bench/results")]) == 0
    page = (root / "docs/field.md").read_text(encoding="utf-8")
    assert page.partition("<!-- python -m reports field bench/results -->\n\n")[2] == capsys.readouterr().out
