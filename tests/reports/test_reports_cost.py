"""Charts and answers about step time and memory say what the files say, and no more."""

import json
import math
import statistics

import pytest
import vl_convert

from reports.charts.benchmark.noise import BesideItself
from reports.charts.cost.answers import answers
from reports.charts.cost.floor import floors
from reports.charts.cost.framework_steps import FrameworkSteps
from reports.charts.cost.gpu import GpuRun
from reports.charts.cost.memory import Memory, need_of
from reports.charts.cost.scaling import Scaling
from reports.charts.cost.settings import groups, slug, variant_label
from reports.charts.cost.step_ratio import StepRatio
from reports.charts.cost.ticks import log_ticks
from reports.results import Results
from reports.sources.read import read
from reports.sources.speed import Cell
from tests.reports.speed_files import ENVIRONMENT, cell, pair_ratios, write

RATE = 7 * 4 * 124_000_000 / 0.09  # of AdamW's fastest step on gpt2-small in `cell`, in bytes per second


@pytest.fixture
def results(tmp_path):
    """Reads files of these cells: `results(torch=[...])`."""

    def make(kind="speed", **cells):
        for name, own in cells.items():
            write(tmp_path / f"{name}-{kind}-cpu.json", *own, framework=name.replace("_", "-"), kind=kind)
        found = read([tmp_path])
        assert not found.unread
        return found

    return make


def table_of(figure, number=0):
    """A table as {row headers: {column: cell}}."""
    table = figure.tables[number]
    width = len(table.rows[0][0])
    return {names: dict(zip(table.columns[width:], cells, strict=True)) for names, cells in table.rows}


def drawn(panel):
    """Every value that a panel draws."""
    return [row for rows in panel.spec["datasets"].values() for row in rows]


def assert_draws(figure):
    for panel in figure.panels:
        text = json.dumps(panel.spec, allow_nan=False)
        assert panel.spec["description"].startswith(panel.heading)
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4"), text


MANY = [
    cell("alphaadam-fused", ratio=1.5, seconds=0.15),
    cell("adamw-fused", ratio=1.0, seconds=0.1),
    cell("alphaadam-loop", ratio=20.0, seconds=2.0),
    cell("alphaadam-fused", dtype="bfloat16", ratio=1.25, seconds=0.125),
    {**cell("alphaadam-fused", shapes="gpt2-nano"), "reason": "needs 12 GiB"},
]


def test_every_number_of_a_step_is_in_the_table_and_its_median_in_the_chart(results):
    (figure,) = FrameworkSteps().draw(results(torch=MANY))
    row = table_of(figure)["gpt2-small", "float32", "AlphaAdam fused"]
    lower, median, upper = statistics.quantiles(pair_ratios(MANY[0]), n=4, method="inclusive")
    assert row["ratio\nlower"].value == pytest.approx(lower)
    assert row["ratio\nmedian"].value == pytest.approx(median)
    assert row["ratio\nupper"].value == pytest.approx(upper)
    assert row["seconds\nmedian"].value == pytest.approx(statistics.median(MANY[0]["seconds"]))
    assert row["AdamW's seconds\nmedian"].value == pytest.approx(statistics.median(MANY[0]["baselineSeconds"]))
    assert row["pairs of\nrounds"].value == 4
    assert row["parameters"].value == 124_000_000
    panels = {panel.heading: panel for panel in figure.panels}
    ratio = panels["gpt2-small: ratio to AdamW"]
    (shown,) = [row for row in drawn(ratio) if row.get("label") == "AlphaAdam fused" and row["group"] == "float32"]
    assert (shown["lower"], shown["median"], shown["upper"]) == pytest.approx((lower, median, upper), rel=1e-5)
    assert "AlphaAdam fused float32 1.50×" in ratio.description
    (time,) = [panel for heading, panel in panels.items() if heading.startswith("gpt2-small: time")]
    assert "AlphaAdam loop float32 2 s" in time.description
    assert_draws(figure)


def test_a_step_that_was_not_measured_is_missing_with_its_reason_and_not_drawn(results):
    (figure,) = FrameworkSteps().draw(results(torch=MANY))
    row = table_of(figure)["gpt2-nano", "float32", "AlphaAdam fused"]
    assert {item.missing for item in row.values()} == {"needs 12 GiB"}
    assert all(item.value is None for item in row.values())
    assert "Missing: AlphaAdam fused (gpt2-nano, float32): needs 12 GiB." in figure.missing
    (panel,) = [panel for panel in figure.panels if panel.heading == "gpt2-nano: ratio to AdamW"]
    assert [row["words"] for row in drawn(panel) if "words" in row] == ["missing: needs 12 GiB"]
    assert not any(row.get("median") is not None for row in drawn(panel))


def test_a_disturbed_measurement_is_marked_everywhere(results):
    (figure,) = FrameworkSteps().draw(results(torch=[cell(coresBusyElsewhere=1.6), cell("adamw-fused")]))
    assert "† Not to be trusted: other processes kept up to 1.6 cores busy meanwhile." in figure.missing
    assert ("gpt2-small", "float32", "AlphaAdam fused†") in table_of(figure)
    assert all("AlphaAdam fused float32 " in panel.description and "†" in panel.description for panel in figure.panels)


def test_a_gpu_is_not_disturbed_by_its_host(results):
    (figure,) = FrameworkSteps().draw(results(torch=[cell(coresBusyElsewhere=1.6, device="cuda")]))
    assert figure.title == "Step time: PyTorch, GPU"
    assert not any("†" in note for note in figure.missing)


def test_each_framework_and_device_has_figures_of_its_own_and_nothing_has_none(results):
    found = results(
        torch=[cell(), cell(device="cuda")], optax=[cell("alphaadam-jit")], keras_tensorflow=[cell("alphaadam-jit")]
    )
    expected = ["torch-cpu", "torch-cuda", "optax-cpu", "keras-tensorflow-cpu"]
    assert [figure.anchor for figure in FrameworkSteps().draw(found)] == [f"steps-{name}" for name in expected]
    assert [figure.anchor for figure in Memory().draw(found)] == [f"memory-{name}" for name in expected]
    assert [figure.anchor for figure in StepRatio().draw(found)] == ["step-ratio-cpu", "step-ratio-cuda"]
    for chart in (FrameworkSteps(), StepRatio(), Scaling(), Memory(), GpuRun()):
        assert chart.draw(Results()) == []
    assert answers(Results()) == []


def test_two_files_of_one_framework_are_told_apart(tmp_path):
    write(tmp_path / "a" / "torch-speed-cpu.json", cell(ratio=2.0))
    write(tmp_path / "b" / "torch-speed-cpu.json", cell(ratio=3.0))
    found = read([tmp_path])
    assert [figure.anchor for figure in FrameworkSteps().draw(found)] == ["steps-torch-cpu", "steps-torch-cpu-2"]
    (figure,) = StepRatio().draw(found)
    assert list(table_of(figure)) == [("PyTorch (a) fused",), ("PyTorch (b) fused",)]


def test_two_files_of_one_framework_and_folder_name_are_numbered(tmp_path):
    write(tmp_path / "a" / "kept" / "torch-speed-cpu.json", cell(ratio=2.0))
    write(tmp_path / "b" / "kept" / "torch-speed-cpu.json", cell(ratio=3.0))
    (figure,) = StepRatio().draw(read([tmp_path]))
    assert list(table_of(figure)) == [("PyTorch (kept, 1) fused",), ("PyTorch (kept, 2) fused",)]


def test_the_overview_compares_alphaadam_alone_across_frameworks(results):
    found = results(torch=MANY, keras_jax=[cell("alphaadam-jit", ratio=2.0), cell("adamw-jit", ratio=1.0)])
    (figure,) = StepRatio().draw(found)
    table = table_of(figure)
    assert list(table) == [("PyTorch fused",), ("PyTorch loop",), ("Keras on JAX jit",)]
    expected = statistics.median(pair_ratios(cell(ratio=2.0)))
    assert table["Keras on JAX jit",]["gpt2-small\nfloat32"].value == pytest.approx(expected)
    assert table["Keras on JAX jit",]["gpt2-nano\nfloat32"].missing == "not measured"
    assert table["PyTorch fused",]["gpt2-nano\nfloat32"].missing == "needs 12 GiB"
    assert_draws(figure)


# The memory-bandwidth floor.


def test_the_floor_is_what_the_fastest_adamw_beyond_all_caches_moved(results):
    cells = [
        cell("adamw-fused", seconds=0.1),
        cell("adamw-loop", seconds=0.4),
        cell("adamw-foreach", shapes="1x1000", seconds=1e-9),  # from the caches, which are faster
        cell("adamw-fused", shapes="1x1000000000", seconds=0.001, coresBusyElsewhere=2),
        cell("alphaadam-fused", seconds=0.15),
    ]
    found = results(torch=cells, optax=[cell("adamw-jit", seconds=0.2)])
    (floor,) = floors(found).values()
    assert floor.bytes_per_second == pytest.approx(RATE)
    assert floor.source == "AdamW fused, gpt2-small, float32"
    torch = FrameworkSteps().draw(found)[0]
    assert "38.6 GB/s, those of the fastest single AdamW step on 1 GB or more" in torch.lead
    assert "the bandwidth itself was not measured" in torch.lead
    row = table_of(torch)["gpt2-small", "float32", "AlphaAdam fused"]
    assert row["floor\nseconds"].value == pytest.approx(36.25 * 124e6 / RATE)
    assert table_of(torch)["gpt2-small", "float32", "AdamW fused"]["floor\nseconds"].value == pytest.approx(0.09)


def test_machines_and_devices_have_floors_of_their_own(tmp_path):
    slow = {**ENVIRONMENT, "device": "Slow One"}
    write(
        tmp_path / "torch-speed-cpu.json",
        cell("adamw-fused", seconds=0.1),
        cell("adamw-loop", seconds=1.0, environment=1),
        cell("adamw-fused", seconds=0.01, device="cuda"),
        environments=[ENVIRONMENT, slow],
    )
    found = {
        (device, machine[:4]): floor.bytes_per_second for (device, machine), floor in floors(read([tmp_path])).items()
    }
    expected = {("cpu", "Fast"): RATE, ("cpu", "Slow"): RATE / 10, ("cuda", "Fast"): RATE * 10}
    assert found == pytest.approx(expected)


def test_without_such_a_step_the_floor_is_missing_with_the_reason(results):
    (figure,) = FrameworkSteps().draw(results(torch=[cell(), cell("adamw-fused", shapes="gpt2-nano")]))
    assert any(note.startswith("The memory-bandwidth floor is missing") for note in figure.missing)
    assert not any("floor" in key.label for key in figure.legend)
    row = table_of(figure)["gpt2-small", "float32", "AlphaAdam fused"]
    assert row["floor\nseconds"].missing == "no bandwidth known"


# Against size.

SIZES = ["1x1000", "1x10000", "1x100000000", "10x1000", "100x1000", "10x10000", "100x1000000", "1x100000"]


def sized(variant, ratio):
    return [cell(variant, shapes=name, ratio=ratio, seconds=1e-4 * (place + 1)) for place, name in enumerate(SIZES)]


def test_sizes_are_drawn_against_parameters_and_tensors_with_the_floor(results):
    found = results("scaling", torch=[*sized("alphaadam-fused", 1.5), *sized("adamw-fused", 1.0)])
    (figure,) = Scaling().draw(found)
    headings = [panel.heading for panel in figure.panels]
    assert headings == [
        "Time: one tensor",
        "Time: tensors of 1,000 elements",
        "Time: 100,000 elements in all",
        "Ratio to AdamW: one tensor",
        "Ratio to AdamW: tensors of 1,000 elements",
        "Ratio to AdamW: 100,000 elements in all",
    ]
    rows = [row for row in drawn(figure.panels[1]) if row["variant"] == "AlphaAdam fused"]
    assert [row["size"] for row in rows] == [1, 10, 100]
    rate = 28e8 / min(cell(seconds=3e-4)["seconds"])  # of one tensor of 1e8 elements, faster than 100
    assert rows[-1]["floor"] == pytest.approx(36.25 * 100_000 / rate, rel=1e-5)
    assert rows[-1]["median"] == pytest.approx(statistics.median(cell(seconds=5e-4)["seconds"]), rel=1e-5)
    assert [key.label for key in figure.legend] == [
        "AlphaAdam fused",
        "AdamW fused",
        "floor of AdamW",
        "floor of AlphaAdam",
    ]
    assert_draws(figure)


def test_forms_of_one_optimizer_differ_in_dash_and_not_in_colour(results):
    (figure,) = Scaling().draw(results("scaling", torch=[*sized("adamw-fused", 1.0), *sized("adamw-loop", 4.0)]))
    fused, loop = figure.legend[:2]
    assert fused.colour == loop.colour
    assert fused.dash != loop.dash


def test_too_few_sizes_are_a_table_and_a_note(results):
    (figure,) = Scaling().draw(results("scaling", torch=sized("alphaadam-fused", 1.5)[:2]))
    assert figure.panels == []
    assert len(figure.tables[0].rows) == 2
    assert any(note.startswith("No chart: there are fewer than 3 sizes") for note in figure.missing)


# Memory.


@pytest.mark.parametrize(
    ("known", "grown", "transient", "account"),
    [
        (5_000_000, None, 0.5, "the framework's account"),
        (5_000_000, 5_500_000, 0.5, "the framework's account"),  # not visibly more
        (5_000_000, 50_000_000, 5.0, "growth of the process"),
        (None, 50_000_000, 5.0, "growth of the process"),
        (None, 200_000, None, "not known"),
        (None, 0, None, "not known"),
        (0, 0, 0.0, "the framework's account"),
    ],
)
def test_transient_memory_is_the_account_or_growth_that_shows_and_never_a_made_up_zero(
    known, grown, transient, account
):
    sizes = {"parameters": 10_000_000.0, "parameter_bytes": 40_000_000.0, "state_bytes": 80_000_000.0}
    need = need_of(Cell("cpu", "float32", "s", "v-f", transient_bytes=known, grown_bytes=grown, **sizes))
    assert (need.state, need.transient) == (8.0, transient)
    assert need.account.startswith(account)
    assert need.peak == (None if transient is None else 8 + transient)


def test_memory_is_given_per_parameter_and_relative_to_adamw(results):
    cells = [cell("alphaadam-fused", transientBytes=2 * 124_000_000), cell("adamw-fused", transientBytes=0)]
    cells.append(cell("alphaadam-loop", transientBytes=None))
    (figure,) = Memory().draw(results(torch=cells))
    table = table_of(figure)
    fused = table["gpt2-small", "float32", "AlphaAdam fused"]
    assert fused["state\nbytes"].value == 8 * 124_000_000
    assert fused["state\n× AdamW's"].value == 1
    assert fused["both\nbytes per parameter"].value == 10
    assert fused["both\n× AdamW's"].value == 1.25
    loop = table["gpt2-small", "float32", "AlphaAdam loop"]
    assert loop["transient\nbytes per parameter"].value is None
    assert "the framework does not tell" in loop["transient\nbytes per parameter"].missing
    assert any("not known of 1 of 3 steps (AlphaAdam loop)" in note for note in figure.missing)
    assert "AlphaAdam loop: 8.00 + ? B" in figure.panels[0].description
    assert_draws(figure)


# Answers.


def test_the_answer_is_the_fastest_form_on_the_largest_tensors_that_most_frameworks_share(results):
    cells = [*MANY, cell("alphaadam-fused", shapes="1x900000000", ratio=7.0), cell("adamw-loop", ratio=4.0)]
    found = results(torch=cells, optax=[cell("alphaadam-jit", ratio=2.0), cell("adamw-jit", ratio=1.0)])
    time, memory = answers(found)
    torch, optax = pair_ratios(MANY[0]), pair_ratios(cell(ratio=2.0))
    ends = [statistics.quantiles(values, n=4, method="inclusive") for values in (torch, optax)]
    words = [f"{median:.2f}× ({low:.2f} to {high:.2f}, n = 4)" for low, median, high in ends]
    assert "on gpt2-small tensors in float32" in time.sentence
    assert f"{words[0]} in PyTorch fused; {words[1]} in Optax on JAX jit." in time.sentence
    assert "7.0" not in time.sentence
    assert time.anchor == "step-ratio-cpu"
    assert memory.anchor == "memory-torch-cpu"
    assert "exactly as many bytes as AdamW's in all 5 measurements" in memory.sentence
    assert "1.00 (AdamW 1.00) in PyTorch fused" in memory.sentence


def test_a_ratio_as_near_to_1_as_adamws_own_is_no_difference(results):
    near = [cell("alphaadam-fused", ratio=1.1), cell("adamw-fused", ratio=1.0)]
    assert "no difference shown, 1.1" in answers(results(torch=near))[0].sentence
    far = [cell("alphaadam-fused", ratio=1.4), cell("adamw-fused", ratio=1.0)]
    assert "no difference" not in answers(results(torch=far))[0].sentence
    noisy = [cell("alphaadam-fused", ratio=1.4), cell("adamw-fused", ratio=1.35)]
    assert "no difference shown, 1.4" in answers(results(torch=noisy))[0].sentence


def test_a_framework_whose_own_adamw_is_slow_is_compared_with_the_fastest_too(results):
    slow = cell("alphaadam-eager", ratio=0.1)
    fastest = {**slow, "fastestSeconds": [value / 1.25 for value in reversed(slow["seconds"])]}
    sentence = answers(results(keras_torch=[fastest]))[0].sentence
    expected = statistics.median(pair_ratios(fastest, "fastestSeconds"))
    assert f"in the same framework: {expected:.2f}× (" in sentence
    assert ") beside torch.optim.AdamW(fused=True), and 0.10× (" in sentence
    assert "beside the framework's own AdamW in Keras on PyTorch eager" in sentence


def test_state_that_is_larger_is_given_as_a_factor_and_unknown_memory_is_named(results):
    larger = cell(stateBytes=12 * 124_000_000, transientBytes=None)
    sentence = answers(results(torch=[larger, cell("alphaadam-loop")]))[1].sentence
    assert "AlphaAdam's state takes 1.000 to 1.500 times AdamW's bytes (n = 2)" in sentence
    assert "what a step allocates is not known in PyTorch" in sentence or "in PyTorch loop" in sentence


def test_a_framework_without_a_step_of_alphaadam_is_named_as_missing(results):
    found = results(torch=MANY, optax=[cell("adamw-jit")])
    assert "Missing on these tensors: Optax on JAX." in answers(found)[0].sentence


def test_a_disturbed_measurement_is_no_answer_without_a_warning(results):
    sentence = answers(results(torch=[cell(coresBusyElsewhere=1.0)]))[0].sentence
    assert "while other processes kept the machine busy" in sentence


# Names.


def test_names_from_files_make_addresses_of_plain_characters(tmp_path):
    write(tmp_path / "s.json", cell(device="</Script> ü" + "x" * 500), framework="<b>é")
    (figure,) = FrameworkSteps().draw(read([tmp_path]))
    assert set(figure.anchor) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(figure.anchor) < 200
    assert slug("A  b", "", "C") == "a-b-c"


def test_names_that_differ_in_other_characters_alone_have_addresses_of_their_own(tmp_path):
    cells = [cell(device=device, dtype=dtype) for device in ("cpu", "CPU", "ü") for dtype in ("f32", "F32")]
    cells += [cell("adamw-fused", device=device) for device in ("cpu", "CPU", "ü")]
    for kind in ("speed", "scaling"):
        write(tmp_path / f"{kind}.json", *cells, kind=kind)
    found = read([tmp_path])
    charts = (FrameworkSteps(), StepRatio(), Scaling(), Memory(), BesideItself())
    anchors = [figure.anchor for chart in charts for figure in chart.draw(found)]
    assert len(set(anchors)) == len(anchors) == 3 + 3 + 9 + 3 + 3
    assert {answer.anchor for answer in answers(found)} <= set(anchors)


def test_a_variant_is_named_as_the_optimizer_is_elsewhere():
    assert variant_label("alphaadam-jit") == "AlphaAdam jit"
    assert variant_label("alphaadam-alpha1-jit") == "AdamW+AM jit"
    assert variant_label("new") == "new"


def test_groups_keep_the_order_of_the_page(results):
    found = results(keras_torch=[cell()], zeta=[cell()], optax=[cell()], torch=[cell()])
    assert [group.speed.framework for group in groups(found, "speed")] == ["torch", "optax", "keras-torch", "zeta"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 2.2, [1, 1.5, 2]),
        (0.5, 30, [0.5, 1, 2, 5, 10, 20]),
        (0.5, 300, [1, 3, 10, 30, 100, 300]),
        (1e-6, 1, [1e-6, 1e-4, 1e-2, 1]),
        (1.01, 1.19, [1.05, 1.1, 1.15]),
        (2.0, 2.0, [2]),
    ],
)
def test_ticks_are_round_few_and_inside(low, high, ticks):
    found = log_ticks(low, high)
    assert found == pytest.approx(ticks)
    assert all(low <= tick <= high or math.isclose(tick, low) for tick in found)
