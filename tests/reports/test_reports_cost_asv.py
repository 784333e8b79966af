"""What asv tracks of a step's cost is shown as it recorded it, gaps included."""

import json
import math

import pandas as pd
import pytest
import vl_convert

from reports.charts.cost.answers import answers
from reports.charts.cost.optimizer_state import OptimizerState
from reports.charts.cost.step_time import StepTime
from reports.charts.cost.tracked import TRACKED
from reports.results import Results
from reports.sources.asv_history import History
from reports.sources.asv_results import AsvResults
from reports.sources.read import read

RATIO = "throughput.OptimizerStep.track_ratio_to_adamw"
SECONDS = "throughput.OptimizerStep.track_step_seconds"
STATE = "memory.OptimizerState.track_state_bytes"
OPTIMIZERS = ["alphaadam", "adamw", "cautious-adamw"]
every_chart = pytest.mark.parametrize("chart", [StepTime(), OptimizerState()], ids=lambda chart: chart.name)
every_tracked = pytest.mark.parametrize("chart", TRACKED, ids=lambda chart: chart.name)


@pytest.fixture
def results(asv_folder):
    """Reads what these frameworks recorded: what `change` makes of the usual values."""

    def make(change=lambda name, parameters, value: value, frameworks=("torch", "jax", "keras")):
        for framework in frameworks:
            asv_folder.measure(framework, change)
        return read([asv_folder.root])

    return make


def failed(name, parameters, value):
    return None if parameters == ("alphaadam", "gpt2-small") else value


def table_of(figure):
    return {
        (*names, column): item
        for names, row in figure.tables[0].rows
        for column, item in zip(figure.tables[0].columns[len(names) :], row, strict=True)
    }


def assert_draws(figure):
    for panel in figure.panels:
        json.dumps(panel.spec, allow_nan=False)
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")


def test_step_time_has_seconds_and_ratio_of_every_optimizer(results, recorded):
    (figure,) = StepTime().draw(results())
    table = table_of(figure)
    parameters = ("cautious-adamw", "gpt2-small")
    assert table["JAX", "gpt2-small", "Cautious AdamW\nseconds"].value == recorded(SECONDS, "jax", parameters)
    assert table["JAX", "gpt2-small", "Cautious AdamW\n× AdamW"].value == recorded(RATIO, "jax", parameters)
    assert "PyTorch, AlphaAdam 1.50×" in figure.panels[1].description
    assert any(note.startswith("How far the ratio's quartiles are apart is missing") for note in figure.missing)
    assert_draws(figure)


def test_state_is_given_in_bytes_and_relative_to_adamw(results, recorded):
    (figure,) = OptimizerState().draw(results())
    table = table_of(figure)
    value, adamw = (recorded(STATE, "keras", (name, "gpt2-nano")) for name in ("cautious-adamw", "adamw"))
    assert table["Keras", "gpt2-nano", "Cautious AdamW\nbytes"].value == value
    assert table["Keras", "gpt2-nano", "Cautious AdamW\n× AdamW"].value == value / adamw
    assert_draws(figure)


@every_chart
def test_gaps_are_missing_with_their_reason_and_not_drawn(results, chart):
    (figure,) = chart.draw(results(failed, frameworks=("torch", "jax")))
    table = table_of(figure)
    assert {item.missing for key, item in table.items() if key[0] == "Keras"} == {"no result file"}
    assert "failed" in {
        item.missing for key, item in table.items() if key[:2] == ("JAX", "gpt2-small") and "AlphaAdam" in key[2]
    }
    assert any("failed: the benchmark raised an error" in note for note in figure.missing)
    drawn = [row for panel in figure.panels for rows in panel.spec["datasets"].values() for row in rows]
    assert not any(row["value"] == 0 for row in drawn)
    assert_draws(figure)


@every_chart
def test_nothing_measured_draws_nothing(results, chart):
    (figure,) = chart.draw(results(lambda name, parameters, value: math.nan, frameworks=("torch",)))
    assert figure.panels == []
    assert any(note.startswith("PyTorch: everything missing, skipped") for note in figure.missing)
    assert all(item.missing for item in table_of(figure).values())


@every_tracked
def test_a_benchmark_that_asv_does_not_know_is_missing_and_says_so(results, chart):
    (figure,) = chart.draw(results())
    assert figure.missing[0].startswith("Everything is missing: asv's benchmarks.json has no benchmark ")
    assert figure.panels == figure.tables == []


def history_of(rows, benchmark, unit, *parameters):
    """A history whose newest commit holds one benchmark."""
    table = pd.DataFrame(rows, columns=["framework", *parameters, "value", "missing"])
    fields = dict.fromkeys(AsvResults.__dataclass_fields__)
    newest = AsvResults(**{**fields, "tables": {benchmark: table}, "units": {benchmark: unit}})
    fields = dict.fromkeys(History.__dataclass_fields__)
    return Results(histories=(History(**{**fields, "name": "box", "newest": newest}),))


@pytest.mark.parametrize("chart", [one for one in TRACKED if hasattr(one, "benchmark")], ids=lambda chart: chart.name)
def test_each_benchmark_is_drawn_where_it_was_measured(chart):
    parameters = ("optimizer", "shapes") if chart.shaped else ("optimizer",)
    shapes = (["gpt2-nano"],) if chart.shaped else ([],)
    rows = [
        [framework, name, *shapes[0], value, missing]
        for framework, missing in (("torch", ""), ("jax", "not run"))
        for name, value in zip(OPTIMIZERS, (3.0, 2.0, math.nan) if not missing else (math.nan,) * 3, strict=True)
    ]
    rows[2][-1] = "failed"
    (figure,) = chart.draw(history_of(rows, chart.benchmark, "seconds", *parameters))
    table = figure.tables[0]
    assert "shapes" in table.columns or not chart.shaped
    (first, *_) = table.rows
    assert [item.value for item in first[1]] == [2.0, 3.0, None]
    assert first[1][2].missing == "failed"
    assert any(note.startswith("JAX: everything missing, not run") for note in figure.missing)
    (panel,) = figure.panels
    assert "PyTorch, AlphaAdam" in panel.description
    assert_draws(figure)


@pytest.mark.parametrize("chart", [one for one in TRACKED if hasattr(one, "benchmark")], ids=lambda chart: chart.name)
def test_a_benchmark_of_which_nothing_was_measured_is_a_note(chart):
    shapes = ["gpt2-nano"] if chart.shaped else []
    parameters = ("optimizer", "shapes") if chart.shaped else ("optimizer",)
    rows = [["torch", name, *shapes, math.nan, "not run"] for name in OPTIMIZERS]
    (figure,) = chart.draw(history_of(rows, chart.benchmark, "seconds", *parameters))
    assert figure.panels == figure.tables == []
    assert figure.missing == [
        "PyTorch: everything missing, not run: the result file holds nothing for this benchmark with these parameters."
    ]


def test_import_is_a_number_for_each_framework():
    rows = [["torch", 1.25, ""], ["jax", math.nan, "no result file"]]
    (figure,) = TRACKED[-1].draw(history_of(rows, "startup.Import.track_import_seconds", "seconds"))
    assert {names: row[0].value for names, row in figure.tables[0].rows} == {("PyTorch",): 1.25, ("JAX",): None}
    assert figure.tables[0].rows[1][1][0].missing == "no result file"


def test_addresses_on_the_page_do_not_change():
    names = [chart.name for chart in (StepTime(), OptimizerState(), *TRACKED)]
    assert names == [
        "step-time",
        "optimizer-state",
        "training-step-time",
        "step-memory",
        "kernels-per-step",
        "first-step-time",
        "import-time",
    ]


# Answers.


def sentences(results):
    return " ".join(answer.sentence for answer in answers(results))


def test_step_time_is_the_measured_ratio_in_each_framework(results):
    expected = "on box, one AlphaAdam step takes, relative to AdamW's, "
    shapes = "1.50× in PyTorch, 1.60× in JAX and 1.70× in Keras."
    assert expected + shapes in sentences(results())


def test_step_time_gives_both_ends_where_shapes_differ(results):
    def slower(name, parameters, value):
        return value * 2 if (name, parameters) == (RATIO, ("alphaadam", "gpt2-small")) else value

    assert "1.50× to 3.00× in PyTorch" in sentences(results(slower))


def test_what_was_not_measured_is_said_to_be_missing(results):
    made = sentences(results(failed, frameworks=("torch",)))
    assert "1.50× in PyTorch on gpt2-nano alone; missing in JAX and Keras." in made


def test_state_that_is_equal_everywhere_is_called_exact(results):
    assert "AlphaAdam's state takes exactly as many bytes as AdamW's in each framework." in sentences(results())
    partly = sentences(results(failed, frameworks=("torch",)))
    assert "exactly as many bytes as AdamW's where both were measured, not everywhere." in partly


def test_state_that_is_larger_is_given_as_a_factor(results):
    def larger(name, parameters, value):
        return value * 1.5 if "state" in name and parameters[0] == "alphaadam" else value

    assert "AlphaAdam's state takes, relative to AdamW's, 1.500× in PyTorch" in sentences(results(larger))


def test_a_benchmark_that_asv_does_not_know_leaves_the_other_answer(asv_folder, results):
    asv_folder.describe(without=RATIO)
    made = sentences(results())
    assert f"Step time is missing from what asv measured: asv's benchmarks.json has no benchmark {RATIO}." in made
    assert "AlphaAdam's state takes exactly" in made
