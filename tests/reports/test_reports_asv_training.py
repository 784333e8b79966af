"""The charts of asv's single training runs, and what the page says where there is no comparison."""

import json
import math

import pytest
import vl_convert

from reports.charts.convergence.answers import answers
from reports.charts.convergence.framework_agreement import FrameworkAgreement
from reports.charts.convergence.training_loss import TrainingLoss
from reports.charts.convergence.validation_loss import ValidationLoss
from reports.names import OPTIMIZERS, look
from reports.results import Results
from reports.sources.comparisons import load_comparison
from reports.sources.read import read
from tests.reports.comparison_folders import ComparisonFolder

TRAINING = "convergence.TrainingLoss.track_training_loss"
VALIDATION = "convergence.Convergence.track_validation_loss"
every_chart = pytest.mark.parametrize("chart", [TrainingLoss(), ValidationLoss(), FrameworkAgreement()])


def as_it_is(name, parameters, value):
    return value


def partly_failed(name, parameters, value):
    return None if parameters[0] == "alphaadam" or parameters[1] in (2, 40) else value


def nothing_measured(name, parameters, value):
    return math.nan


@pytest.fixture
def load(asv_folder):
    """Reads the results of three frameworks, the last two of which recorded `change`."""

    def load_results(change=as_it_is):
        asv_folder.measure("torch")
        for framework in ("jax", "keras"):
            asv_folder.measure(framework, change)
        return read([asv_folder.root])

    return load_results


@every_chart
@pytest.mark.parametrize("change", [as_it_is, partly_failed, nothing_measured])
def test_every_panel_compiles_and_is_described(load, chart, change):
    (figure,) = chart.draw(load(change))
    assert figure.panels
    for panel in figure.panels:
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")
        assert panel.spec["description"].startswith(panel.heading)
        assert "NaN" not in json.dumps(panel.spec)


@every_chart
def test_a_chart_of_which_nothing_was_measured_says_so(asv_folder, chart):
    asv_folder.measure("torch", nothing_measured)
    (figure,) = chart.draw(read([asv_folder.root]))
    assert any(note.startswith("PyTorch: everything missing, skipped") for note in figure.missing)
    assert any(note.startswith("JAX: everything missing, no result file") for note in figure.missing)
    assert all(cell.missing for table in figure.tables for _, cells in table.rows for cell in cells)


@every_chart
def test_gaps_are_neither_drawn_nor_written_as_numbers(load, chart):
    (figure,) = chart.draw(load(partly_failed))
    cells = [cell for table in figure.tables for _, cells in table.rows for cell in cells]
    assert any(cell.missing == "failed" for cell in cells)
    assert all(bool(cell.missing) == (cell.value is None) for cell in cells)
    assert any("failed: the benchmark raised an error" in note for note in figure.missing)
    drawn = [row for panel in figure.panels for data in panel.spec["datasets"].values() for row in data]
    assert not any(row["value"] == 0 for row in drawn)


@every_chart
def test_an_optimizer_has_one_colour_everywhere(load, chart):
    for panel in chart.draw(load())[0].panels:
        text = json.dumps(panel.spec)
        for other in OPTIMIZERS.values():
            if f'"{other.label}"' in text:
                assert other.colour in text


def test_agreement_is_the_largest_relative_difference_of_the_first_50_steps(load, recorded):
    lead = FrameworkAgreement().draw(load())[0].lead
    for name in ("adamw", "alphaadam"):
        spread = {}
        for step in (1, 2, 10, 49, 50):
            losses = [recorded(TRAINING, framework, (name, step)) for framework in ("torch", "jax", "keras")]
            spread[step] = (max(losses) - min(losses)) / min(losses)
        step = max(spread, key=lambda step: spread[step])
        size = f"{spread[step]:.1e}".replace("e-0", "e-")
        expected = f"{look(name).label}: over the first 50 steps (5 measured in each framework) the losses of PyTorch, "
        assert f"{expected}JAX and Keras differ by at most {size} relative (at step {step})." in lead


def test_agreement_leaves_out_the_steps_that_a_framework_lacks(load):
    def only_late(name, parameters, value):
        return None if parameters[1] == 50 else value

    assert "(4 measured in each framework)" in FrameworkAgreement().draw(load(only_late))[0].lead


def test_agreement_needs_two_frameworks(load):
    assert "no step was measured in two frameworks" in FrameworkAgreement().draw(load(nothing_measured))[0].lead


def test_training_loss_has_a_row_for_every_step(load, recorded):
    (figure,) = TrainingLoss().draw(load())
    table = figure.tables[1]
    assert table.caption == "Training loss in JAX (nats/byte)"
    assert [headers for headers, _ in table.rows] == [("1",), ("2",), ("10",), ("49",), ("50",), ("60",), ("100",)]
    assert table.columns == ["step", "AdamW", "AlphaAdam", "Cautious AdamW"]
    names = ["adamw", "alphaadam", "cautious-adamw"]
    assert [cell.value for cell in table.rows[3][1]] == [recorded(TRAINING, "jax", (name, 49)) for name in names]


def test_single_runs_are_no_proof_of_which_optimizer_is_better(asv_folder):
    def scripted(name, parameters, value):
        final = {"adamw": 1.5, "alphaadam": 1.75, "cautious-adamw": 1.6}
        return final[parameters[0]] if name == VALIDATION and parameters[1] == 100 else value

    asv_folder.measure("torch", scripted)
    asv_folder.measure("jax", lambda *given: 3 - scripted(*given))
    (answer,) = answers(read([asv_folder.root]))
    assert "is, beside AdamW's, 0.2500 higher in PyTorch and 0.2500 lower in JAX (nats/byte)" in answer.sentence
    assert "one run with one seed and no interval: that does not show which optimizer is better." in answer.sentence
    assert answer.anchor == "validation-loss"


def test_what_was_not_measured_is_not_answered(asv_folder):
    asv_folder.measure("torch", nothing_measured)
    assert answers(read([asv_folder.root])) == []


def test_comparisons_answer_instead_of_single_runs(load, tmp_path):
    folder = ComparisonFolder(tmp_path / "c").fill("adamw", "alphaadam")
    folder.summarize()
    comparison = load_comparison(folder.root, lambda path, reason: None)
    found = answers(Results(histories=load().histories, comparisons=(comparison,)))
    assert [answer.anchor for answer in found] == ["to-target-gpt2-nano-torch", "final-loss-gpt2-nano-torch"]
