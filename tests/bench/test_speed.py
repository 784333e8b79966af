"""Tests of bench.speed.cells, with measurements that take no time."""

import itertools
import subprocess
import sys
import time

import pytest

from bench.records import read_json, write_json
from bench.speed import cells as speed
from bench.speed.cells import Cell, NotMeasurableError, Results, cells_of, measure_cells
from bench.speed.plans import CUDA_ONLY, FRAMEWORKS

ENVIRONMENT = {"versions": {"torch": "2"}, "threads": 2}
TORCH = FRAMEWORKS["torch"]
FUSED, LOOP, NOISE = (
    Cell("cpu", "float32", "2x10", name) for name in ("alphaadam-fused", "alphaadam-loop", "adamw-fused")
)
CELLS = [FUSED, LOOP, NOISE]


class Measure:
    """Measures without measuring; the cells in `failing` raise."""

    def __init__(self, **failing):
        self.failing, self.run = failing, []

    def __call__(self, cell):
        self.run.append(cell)
        if error := self.failing.get(cell.variant.replace("-", "_")):
            raise error
        return {"seconds": [2.0] * 4, "baselineSeconds": [1.0] * 4}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "torch-speed-cpu.json"


def measured(path, measure, cells=CELLS, environment=ENVIRONMENT, again=None):
    """Runs as the command does; returns the lines of progress."""
    lines = []
    measure_cells(cells, Results(path, "speed", TORCH), measure, environment, again, lines.append)
    return lines


def test_every_cell_is_kept_and_not_measured_again(path):
    measure = Measure()
    measured(path, measure)
    assert measure.run == CELLS
    assert [record["variant"] for record in read_json(path)["cells"]] == [cell.variant for cell in CELLS]
    lines = measured(path, measure)
    assert measure.run == CELLS
    assert lines == [f"3 of 3 are in {path} already"]


def test_an_interrupted_run_resumes_where_it_stopped(path):
    with pytest.raises(KeyboardInterrupt):
        measured(path, Measure(alphaadam_loop=KeyboardInterrupt()))
    assert [record["variant"] for record in read_json(path)["cells"]] == ["alphaadam-fused"]
    measure = Measure()
    lines = measured(path, measure)
    assert measure.run == [LOOP, NOISE]
    assert lines[0] == f"1 of 3 are in {path} already"
    assert len(read_json(path)["cells"]) == 3


def test_what_cannot_be_measured_is_a_row_with_its_reason_and_the_others_are_measured(path):
    lines = measured(
        path, Measure(alphaadam_fused=RuntimeError("fused needs numba;\n  install it"), alphaadam_loop=TypeError("no"))
    )
    records = {record["variant"]: record for record in read_json(path)["cells"]}
    assert records["alphaadam-fused"]["reason"] == "fused needs numba; install it"
    assert records["alphaadam-loop"]["reason"] == "TypeError: no"
    assert "seconds" not in records["alphaadam-fused"]
    assert "reason" not in records["adamw-fused"]
    assert lines[0].startswith("[1/3] cpu float32 2x10 alphaadam-fused: not measured: fused needs numba; install it; ")
    assert lines[2].startswith("[3/3] cpu float32 2x10 adamw-fused: 2.000 of AdamW's time (2.000 to 2.000); about 0 s")


def test_a_reason_is_tried_again_since_what_was_missing_may_be_there_now(path):
    measured(path, Measure(alphaadam_fused=NotMeasurableError("no numba")))
    measure = Measure()
    measured(path, measure)
    assert measure.run == [FUSED]
    assert not any("reason" in record for record in read_json(path)["cells"])


def test_a_reason_without_words_names_the_error_and_an_endless_one_ends(path):
    measured(path, Measure(alphaadam_fused=RuntimeError(), alphaadam_loop=RuntimeError("x" * 10_000)))
    records = read_json(path)["cells"]
    assert records[0]["reason"] == "RuntimeError: "
    assert len(records[1]["reason"]) < 500


def test_again_measures_what_is_there_and_keeps_the_rest(path):
    measured(path, Measure())
    measure = Measure()
    measured(path, measure, cells=[LOOP], again="all")
    assert measure.run == [LOOP]
    assert len(read_json(path)["cells"]) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_what_other_processes_take_is_recorded(path):
    def own_work(cell):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        return Measure()(cell)

    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.1)
        measured(path, own_work, cells=[FUSED])
    finally:
        other.kill()
        other.wait()
    # More than half of a core, and how much more is up to what else this machine does.
    assert read_json(path)["cells"][0]["coresBusyElsewhere"] > 0.2


def test_ones_own_work_is_not_that_of_others(path, monkeypatch):
    ticks = itertools.count(step=100)
    clock, own = itertools.count(), itertools.count()
    monkeypatch.setattr(speed.Path, "read_text", lambda self: f"cpu  {next(ticks)} 0 0 999 999 0 0 0 0 0")
    monkeypatch.setattr(speed.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(speed.os, "times", lambda: (0.75 * next(own), 0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(speed.time, "monotonic", lambda: next(clock))
    assert speed._others_on_the_cpu()() == 0.25


def test_where_nothing_tells_what_others_take_it_is_none(path, monkeypatch):
    monkeypatch.setattr(speed.Path, "read_text", lambda self: "")
    measured(path, Measure(), cells=[FUSED])
    monkeypatch.undo()
    assert read_json(path)["cells"][0]["coresBusyElsewhere"] == 0


def test_what_was_disturbed_can_be_measured_again_by_itself(path):
    measured(path, Measure())
    content = read_json(path)
    content["cells"][1]["coresBusyElsewhere"] = 1.5
    write_json(path, content)
    measure = Measure()
    measured(path, measure)
    assert measure.run == []
    measured(path, measure, again="disturbed")
    assert measure.run == [LOOP]


def test_figures_of_other_code_or_versions_are_kept_but_told_apart(path):
    newer = {**ENVIRONMENT, "threads": 8}
    measured(path, Measure())
    lines = measured(path, Measure(), environment=newer)
    assert lines[1] == ("3 of them with other code, versions or hardware than now; --again measures them anew")
    measured(path, Measure(), cells=[FUSED], environment=newer, again="all")
    content = read_json(path)
    used = {record["variant"]: content["environments"][record["environment"]] for record in content["cells"]}
    assert used == {FUSED.variant: newer, LOOP.variant: ENVIRONMENT, NOISE.variant: ENVIRONMENT}


def test_an_environment_that_no_cell_needs_is_dropped(path):
    newer = {**ENVIRONMENT, "threads": 8}
    measured(path, Measure())
    measured(path, Measure(), environment=newer, again="all")
    assert read_json(path)["environments"] == [newer]


def test_cells_are_kept_in_one_order_whatever_was_measured_first(path):
    cells = cells_of(["cpu"], ["bfloat16", "float32"], ["gpt2-small", "1x10", "10x1"], ["adamw-loop", "alphaadam-loop"])
    measured(path, Measure(), cells=cells)
    records = [(record["dtype"], record["shapes"], record["variant"]) for record in read_json(path)["cells"]]
    assert records[:5] == [
        ("float32", "1x10", "alphaadam-loop"),
        ("float32", "1x10", "adamw-loop"),
        ("float32", "10x1", "alphaadam-loop"),
        ("float32", "10x1", "adamw-loop"),
        ("float32", "gpt2-small", "alphaadam-loop"),
    ]
    assert len(records) == 12


def test_the_file_of_another_command_is_refused(path):
    measured(path, Measure())
    with pytest.raises(ValueError, match=r"is a result of `python -m bench speed`, not of scaling"):
        Results(path, "scaling", TORCH)


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema": "alphaadam-trial-1"}'])
def test_a_file_of_something_else_is_refused(path, content):
    path.write_text(content)
    with pytest.raises(ValueError, match=r"torch-speed-cpu\.json is no result of `python -m bench speed`"):
        Results(path, "speed", TORCH)


def test_the_file_of_another_framework_is_refused(path):
    measured(path, Measure())
    with pytest.raises(ValueError, match=r"is a result of torch, not of optax"):
        Results(path, "speed", FRAMEWORKS["optax"])


def test_a_file_says_what_was_measured_beside_what(tmp_path):
    measure_cells(
        [Cell("cpu", "float32", "2x10", "adamw-jit")],
        Results(tmp_path / "optax.json", "speed", FRAMEWORKS["optax"]),
        Measure(),
        ENVIRONMENT,
        show=lambda line: None,
    )
    content = read_json(tmp_path / "optax.json")
    assert (content["framework"], content["baseline"]) == ("optax", "adamw-*")


def test_the_largest_tensor_is_for_gpus():
    scaling = TORCH.plans["scaling"]
    cells = cells_of(["cpu", "cuda"], scaling.dtypes, scaling.shapes, scaling.variants)
    assert {cell.device for cell in cells if cell.shapes in CUDA_ONLY} == {"cuda"}
    assert max(cell.parameters() for cell in cells if cell.device == "cpu") == 10**8
    assert max(cell.parameters() for cell in cells) == 10**9
