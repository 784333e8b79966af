"""Tests of bench.frameworks.keras_speed and its backends: on JAX here, on the others in processes of their own."""

import math
import subprocess
import sys

import pytest

from bench import __main__ as command_line
from bench import paired
from bench.frameworks import keras as training  # chooses JAX where nothing else is chosen
from bench.frameworks import keras_speed
from bench.frameworks.keras_speed import environment, measure
from bench.records import read_json
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.plans import FRAMEWORKS

BACKENDS = ("jax", "tensorflow", "torch")
ON_JAX = pytest.mark.skipif(keras_speed.BACKEND != "jax", reason="another backend was chosen")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What one command measures on all three backends, by backend."""
    folder = tmp_path_factory.mktemp("speed")
    names = ",".join(f"keras-{backend}" for backend in BACKENDS)
    arguments = ["--frameworks", names, "--shapes", "2x1000", "--seconds", "0", "--output", str(folder)]
    assert command_line.main(["speed", *arguments, "--devices", "cpu"]) == 0
    return {backend: read_json(folder / f"keras-{backend}-speed-cpu.json") for backend in BACKENDS}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_variant_is_measured_on_every_backend_by_one_command(backend, files):
    content = files[backend]
    plan = FRAMEWORKS[f"keras-{backend}"].plans["speed"]
    assert {(record["variant"], record["dtype"]) for record in content["cells"]} == {
        (variant, dtype) for variant in plan.variants for dtype in plan.dtypes
    }
    for record in content["cells"]:
        assert "reason" not in record, record
        assert len(record["seconds"]) == len(record["baselineSeconds"]) == paired.MIN_ROUNDS
        itemsize = {"float32": 4, "bfloat16": 2}[record["dtype"]]
        assert record["parameterBytes"] == 2000 * itemsize
        # Two moments of each parameter in its type, the counter, the learning rate.
        assert record["stateBytes"] == record["baselineStateBytes"]
        assert 0 < record["stateBytes"] - 4000 * itemsize <= 16
        assert math.prod(record["seconds"]) > 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_versions_are_those_of_the_backend(backend, files):
    versions = files[backend]["environments"][0]["versions"]
    assert versions["keras"] == training.versions()["keras"]
    assert any(name.startswith(backend) for name in versions)
    assert not any(name.startswith(other) for other in {*BACKENDS} - {backend} for name in versions)


def test_xla_is_asked_where_it_compiles(files):
    compiled = {
        (backend, record["variant"].rpartition("-")[2])
        for backend in BACKENDS
        for record in files[backend]["cells"]
        if "xla" in record
    }
    assert compiled == {("jax", "jit"), ("tensorflow", "jit")}
    for backend in ("jax", "tensorflow"):
        (adamw,) = (
            record["xla"]
            for record in files[backend]["cells"]
            if (record["variant"], record["dtype"]) == ("adamw-jit", "float32")
        )
        assert adamw["kernels"] >= adamw["fusions"] >= 6  # both moments and the parameter, of two tensors
        assert adamw["copies"] == 0


def test_the_fastest_adamw_is_timed_too_where_it_is_not_keras_own(files):
    timed = {
        (backend, record["variant"].rpartition("-")[2])
        for backend in BACKENDS
        for record in files[backend]["cells"]
        if "fastestSeconds" in record
    }
    assert timed == {("jax", "jit"), ("torch", "eager")}
    for backend in BACKENDS:
        assert ("fastest" in str(files[backend]["cells"])) <= (FRAMEWORKS[f"keras-{backend}"].fastest is not None)


GROWTH = """
import gc
from bench import machine
from bench.names import load_speed_module
from bench.speed.cells import Cell

module = load_speed_module("keras-tensorflow")
sizes = []
for _ in range(4):
    module.measure(Cell("cpu", "float32", "1x4000000", "adamw-jit"), seconds=0.0, transient=False)
    gc.collect()
    machine.resident_growth(lambda: None)  # has the allocator give back what it can
    sizes.append(machine._status("VmRSS"))
print(sizes[-1] - sizes[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the size of a process")
def test_on_tensorflow_a_cell_leaves_no_memory_behind():
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    # A cell's two optimizers have 48 MB of parameters and moments each; the graphs that stay have a few.
    assert int(done.stdout) < 100e6


class Idle(training.keras.optimizers.AdamW):
    """A step that does nothing is fast."""

    def update_step(self, gradient, variable, learning_rate):
        pass

    def _apply_weight_decay(self, variables):
        pass


@ON_JAX
def test_a_step_that_does_nothing_gives_no_figure(monkeypatch):
    monkeypatch.setitem(keras_speed.OPTIMIZERS, "alphaadam", Idle)
    with pytest.raises(NotMeasurableError, match="does not do its work"):
        measure(Cell("cpu", "float32", "2x10", "alphaadam-jit"), seconds=0.0, transient=False)


@ON_JAX
def test_what_does_not_fit_is_not_tried(monkeypatch):
    monkeypatch.setattr("bench.machine.available_bytes", lambda: 10 * 2**30)
    with pytest.raises(NotMeasurableError, match=r"GiB of memory; 10\.0 GiB are free"):
        measure(Cell("cpu", "float32", "gpt2-large", "adamw-jit"), seconds=0.0, transient=False)


def test_the_environment_names_versions_code_hardware_and_threads():
    found = environment("cpu")
    assert {"alphaadam", "keras", "numpy", "python"} <= set(found["versions"])
    assert len(found["alphaadamSource"]) == 12
    assert found["threads"] >= 1
    assert environment("cpu") == found
