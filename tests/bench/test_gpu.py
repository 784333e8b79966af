"""Tests of the command that measures everything on a GPU, tried without one."""

import json

import pytest

from bench.__main__ import main
from bench.gpu import parts as gpu
from bench.gpu.parts import Part


def part(name, code):
    return Part(name, ["-c", code], 0.1)


def test_a_part_that_fails_or_takes_too_long_is_named_and_costs_only_itself():
    failed = gpu._run(part("a", "print('why'); raise SystemExit(3)"), 60, "cpu")
    assert (failed["outcome"], failed["output"]) == ("failed with exit code 3", "why\n")
    late = gpu._run(part("b", "import time; print('so far', flush=True); time.sleep(60)"), 1, "cpu")
    assert (late["outcome"], late["output"]) == ("took too long", "so far\n")
    assert gpu._run(part("c", ""), 0, "cpu")["outcome"] == "no time was left for it"
    assert gpu._run(part("d", "import os; assert os.environ['BENCH_DEVICE'] == 'cpu'"), 60, "cpu")["outcome"] == (
        "finished"
    )


def test_as_many_steps_are_trained_as_fit(monkeypatch, tmp_path):
    """A clock that only the parts move: 10 s for each measurement, half a second a step after 5 s of starting."""
    now = [0.0]
    trained = {}

    def run(of, seconds, device):
        assert device == "cpu"
        if "run" not in of.command:
            now[0] += 10
        else:
            steps = int(of.command[of.command.index("--steps") + 1])
            output = of.command[of.command.index("--output") + 1]
            now[0] += 5 + steps / 2
            assert 5 + steps / 2 <= seconds
            trained[output.rpartition("/")[2]] = steps
            with open(output, "w") as file:
                json.dump({"seconds": steps / 2}, file)
        return {"name": of.name, "command": "", "seconds": 10.0, "outcome": "finished"}

    monkeypatch.setattr(gpu, "_run", run)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: now[0])
    gpu.measure(tmp_path, 10, device="cpu", task="gpt2-small", shapes=["1x1000"])
    steps = trained.pop("gpt2-small-alphaadam.json")
    assert trained == {"probe.json": gpu.PROBE_STEPS, "gpt2-small-adamw.json": steps}
    assert 540 < now[0] <= 600  # nearly all of the ten minutes, and not more
    assert json.loads((tmp_path / "summary.json").read_text())["parts"][-1]["outcome"] == "finished"


def test_without_a_gpu_the_command_says_how_to_try_it(capsys, tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["gpu", "--output", str(tmp_path)]) == 1
    assert "--device cpu tries the command without one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_optimizer_is_measured_or_missing_with_its_reason(monkeypatch, tmp_path):
    from bench.gpu import optimizers as gpu_optimizers
    from bench.names import COMPARED

    def measure(optimizer, shapes):
        if optimizer == "lion":
            raise ModuleNotFoundError("lion-pytorch is not installed")
        return {"seconds": 1e-3, "ratio": 1.5, "stateBytes": 8}

    monkeypatch.setattr(gpu_optimizers, "_measure", measure)
    gpu_optimizers.main(["1x1000", str(tmp_path / "optimizers.json")])
    printed = gpu.render({"gpu": None, "commit": "c" * 40, "parts": []}, tmp_path)
    for optimizer in COMPARED:
        assert f"| {optimizer} |" in printed
    assert "| lion | – | – | lion-pytorch is not installed |" in printed


def test_python_runs_the_parts(tmp_path):
    """Each module that is run as a part says so itself if it cannot start."""
    for name in ("bench.gpu.optimizers", "bench.gpu.data"):
        assert gpu._run(Part(name, ["-c", f"import {name}"], 1.0), 60, "cpu")["outcome"] == "finished"
