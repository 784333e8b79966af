"""Every chart draws what the tables say, compiles, and shows gaps as gaps."""

import json
import math

import pytest
import vl_convert

from reports.charts import CHARTS
from reports.charts.framework_agreement import FrameworkAgreement
from reports.charts.training_loss import TrainingLoss
from reports.names import OPTIMIZERS, in_order, listing, look
from reports.sources import load_asv

TRAINING = "convergence.TrainingLoss.track_training_loss"
AGREEMENT, TRAINING_CHART = FrameworkAgreement(), TrainingLoss()
every_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)


def partly_failed(name, parameters, value):
    return None if parameters[0] == "alphaadam" or parameters[1] in (2, 40, "gpt2-small") else value


def nothing_measured(name, parameters, value):
    return math.nan


@pytest.fixture
def draw(asv_folder):
    """Draws a chart of three frameworks, the last two of which recorded `change`."""

    def draw_chart(chart, change=lambda name, parameters, value: value):
        asv_folder.measure("torch")
        for framework in ("jax", "keras"):
            asv_folder.measure(framework, change)
        return chart.draw(load_asv(asv_folder.root))

    return draw_chart


@every_chart
@pytest.mark.parametrize("change", [None, partly_failed, nothing_measured])
def test_every_panel_compiles_and_is_described(draw, chart, change):
    figure = draw(chart, change) if change else draw(chart)
    assert figure.panels
    for panel in figure.panels:
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")
        assert panel.spec["description"].startswith(panel.heading)
        assert "NaN" not in json.dumps(panel.spec)


@every_chart
def test_a_chart_of_which_nothing_was_measured_says_so(asv_folder, chart):
    asv_folder.measure("torch", nothing_measured)
    figure = chart.draw(load_asv(asv_folder.root))
    assert any(note.startswith("PyTorch: everything missing, skipped") for note in figure.missing)
    assert any(note.startswith("JAX: everything missing, no result file") for note in figure.missing)
    assert all(cell.missing for table in figure.tables for _, cells in table.rows for cell in cells)
    assert all("</svg>" in vl_convert.vegalite_to_svg(panel.spec, vl_version="6.4") for panel in figure.panels)


@every_chart
def test_gaps_are_neither_drawn_nor_written_as_numbers(draw, chart):
    figure = draw(chart, partly_failed)
    cells = [cell for table in figure.tables for _, cells in table.rows for cell in cells]
    assert any(cell.missing == "failed" for cell in cells)
    assert all(bool(cell.missing) == (cell.value is None) for cell in cells)
    assert any("failed: the benchmark raised an error" in note for note in figure.missing)
    drawn = [row for panel in figure.panels for data in panel.spec["datasets"].values() for row in data]
    assert not any(row["value"] == 0 for row in drawn)


@every_chart
def test_an_optimizer_has_one_colour_everywhere(draw, chart):
    for panel in draw(chart).panels:
        text = json.dumps(panel.spec)
        for other in OPTIMIZERS.values():
            if f'"{other.label}"' in text:
                assert other.colour in text


@every_chart
def test_an_address_on_the_page_does_not_change(chart):
    assert chart.name in {
        "training-loss",
        "validation-loss",
        "framework-agreement",
        "step-time",
        "optimizer-state",
    }


def test_agreement_is_the_largest_relative_difference_of_the_first_50_steps(draw, recorded):
    lead = draw(AGREEMENT).lead
    for name in ("adamw", "alphaadam"):
        spread = {}
        for step in (1, 2, 10, 49, 50):
            losses = [recorded(TRAINING, framework, (name, step)) for framework in ("torch", "jax", "keras")]
            spread[step] = (max(losses) - min(losses)) / min(losses)
        step = max(spread, key=lambda step: spread[step])
        size = f"{spread[step]:.1e}".replace("e-0", "e-")
        expected = f"{look(name).label}: over the first 50 steps (5 measured in each framework) the losses of PyTorch, "
        assert f"{expected}JAX and Keras differ by at most {size} relative (at step {step})." in lead


def test_agreement_leaves_out_the_steps_that_a_framework_lacks(draw):
    def only_late(name, parameters, value):
        return None if parameters[1] == 50 else value

    assert "(4 measured in each framework)" in draw(AGREEMENT, only_late).lead


def test_agreement_needs_two_frameworks(draw):
    assert "no step was measured in two frameworks" in draw(AGREEMENT, nothing_measured).lead


def test_training_loss_has_a_row_for_every_step(draw, recorded):
    figure = draw(TRAINING_CHART)
    table = figure.tables[1]
    assert table.caption == "Training loss in JAX (nats/byte)"
    assert [headers for headers, _ in table.rows] == [("1",), ("2",), ("10",), ("49",), ("50",), ("60",), ("100",)]
    assert table.columns == ["step", "AdamW", "AlphaAdam", "Cautious AdamW"]
    names = ["adamw", "alphaadam", "cautious-adamw"]
    assert [cell.value for cell in table.rows[3][1]] == [recorded(TRAINING, "jax", (name, 49)) for name in names]


def test_optimizers_differ_in_more_than_colour():
    looks = list(OPTIMIZERS.values())
    for part in ("label", "colour", "dash", "marker"):
        assert len({getattr(item, part) for item in looks}) == len(looks)
    assert look("brand-new").label == "brand-new"


def test_known_names_come_first_and_new_ones_after_them():
    assert in_order(["zeta", "jax", "alpha", "torch", "jax"], ["torch", "jax", "keras"]) == [
        "torch",
        "jax",
        "alpha",
        "zeta",
    ]
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
