"""Tests of bench.speed.runs; processes of their own are started with functions that take no time."""

import os
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest

from bench.records import read_json
from bench.speed import runs as speed_runs
from bench.speed.plans import FRAMEWORKS, MODEL_SHAPES
from bench.speed.runs import Request, cells_for, measure_framework, measure_frameworks

OPTAX = FRAMEWORKS["optax"]


def asked(tmp_path, **others):
    return Request("speed", tmp_path, **others)


def test_unasked_the_plan_is_measured_without_what_is_slow_on_large_models(tmp_path):
    cells = cells_for(OPTAX, asked(tmp_path), "cpu")
    assert {cell.shapes for cell in cells} == set(OPTAX.plans["speed"].shapes)
    assert {cell.variant for cell in cells} == set(OPTAX.variants)
    assert {cell.variant for cell in cells if cell.shapes in MODEL_SHAPES} == {
        variant for variant in OPTAX.variants if variant.endswith("-jit")
    }


def test_what_is_named_is_measured_even_if_it_is_slow(tmp_path):
    request = asked(tmp_path, shapes=("gpt2-small",), variants=("adamw-eager",), dtypes=("float16",))
    assert [str(cell) for cell in cells_for(OPTAX, request, "cuda")] == ["cuda float16 gpt2-small adamw-eager"]


def test_variants_of_other_frameworks_are_left_to_them(tmp_path):
    request = asked(tmp_path, shapes=("2x10",), variants=("alphaadam-fused", "adamw-jit"), dtypes=("float32",))
    assert [cell.variant for cell in cells_for(OPTAX, request, "cpu")] == ["adamw-jit"]
    assert [cell.variant for cell in cells_for(FRAMEWORKS["torch"], request, "cpu")] == ["alphaadam-fused"]


@pytest.fixture
def module(monkeypatch):
    """Measures without measuring."""

    def measure(cell, seconds, transient):
        module.calls.append((str(cell), seconds, transient))
        return {"seconds": [1.0] * 4, "baselineSeconds": [1.0] * 4}

    module = SimpleNamespace(
        calls=[], measure=measure, devices=lambda: ("cpu",), environment=lambda device: {}, set_threads=None
    )
    monkeypatch.setattr(speed_runs, "load_speed_module", lambda name: module)
    return module


def test_a_framework_is_measured_into_a_file_of_its_own_and_resumes(tmp_path, module, capsys):
    request = asked(tmp_path, shapes=("2x10",), dtypes=("float32",), variants=("adamw-jit",), seconds=0.5)
    path = tmp_path / "optax-speed-cpu.json"
    for _ in range(2):
        assert measure_framework("optax", request) == [path]
    assert module.calls == [("cpu float32 2x10 adamw-jit", 0.5, True)]
    assert read_json(path)["framework"] == "optax"
    assert capsys.readouterr().err.splitlines()[-1] == f"optax: 1 of 1 are in {path} already"


def test_devices_and_seconds_are_the_modules_and_the_plans_where_they_are_not_named(tmp_path, module):
    request = asked(tmp_path, shapes=("2x10",), dtypes=("float32",), variants=("adamw-jit",), devices=("cuda", "cpu"))
    assert [path.name for path in measure_framework("optax", request)] == [
        "optax-speed-cuda.json",
        "optax-speed-cpu.json",
    ]
    assert {seconds for _, seconds, _ in module.calls} == {OPTAX.plans["speed"].seconds}


def in_its_process(name, request):
    """Stands for `measure_framework`: says in which process it runs, or fails."""
    if name == "wrong":
        raise ValueError("a file of something else")
    if name == "killed":
        os._exit(9)
    return [request.output / f"{name}-{os.getpid()}"]


def test_each_framework_runs_in_a_process_of_its_own_and_the_failing_keep_no_other_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_runs, "measure_framework", in_its_process)
    paths, errors = measure_frameworks(["one", "wrong", "killed", "other"], asked(tmp_path))
    names, processes = zip(*(path.name.split("-") for path in paths), strict=True)
    assert names == ("one", "other")
    assert len({*processes, str(os.getpid())}) == 3
    assert errors == [
        "wrong: a file of something else",
        "killed: its process ended in the middle of a cell; what was finished is kept",
    ]


def test_an_interrupt_ends_the_whole_run(tmp_path, monkeypatch):
    class Interrupted:
        def __init__(self, *args):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def submit(self, *args):
            raise KeyboardInterrupt

    monkeypatch.setattr(speed_runs, "ProcessPoolExecutor", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure_frameworks(["one", "other"], asked(tmp_path))
    assert not issubclass(KeyboardInterrupt, (BrokenProcessPool, RuntimeError))
