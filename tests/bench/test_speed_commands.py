"""Tests of the commands speed and scaling, with measurements that take no time."""

from types import SimpleNamespace

import pytest

from bench import __main__ as command_line
from bench import speed_commands
from bench.paired import shapes_of
from bench.records import read_json
from bench.speed import RESULTS, SCALING, SPEED


@pytest.fixture
def measured(monkeypatch):
    """The cells that were measured, and with which settings."""
    calls = []

    def measure(cell, seconds, transient):
        calls.append((cell, seconds, transient))
        if cell.variant == "alphaadam-fused":
            raise RuntimeError("fused needs numba")
        number = cell.parameters()
        tensors = len(shapes_of(cell.shapes))
        sizes = {"parameters": number, "tensors": tensors, "parameterBytes": 4 * number, "minimalBytes": 28 * number}
        state = {"stateBytes": 80, "baselineStateBytes": 80, "transientBytes": 4}
        return {**sizes, **state, "seconds": [2.0] * 6, "baselineSeconds": [1.0] * 6}

    environment = {
        "versions": {"torch": "2"},
        "alphaadamSource": "0123456789ab",
        "device": "Some CPU",
        "system": "Linux",
        "cores": 4,
        "threads": 2,
    }
    module = SimpleNamespace(
        measure=measure,
        devices=lambda: ("cpu",),
        environment=lambda device: environment,
        set_threads=lambda number: environment.update(threads=number),
    )
    monkeypatch.setattr(speed_commands, "load_speed_module", lambda: module)
    return calls


def test_speed_writes_one_file_for_each_device_and_prints_the_table(measured, tmp_path, capsys):
    arguments = ["--shapes", "2x5", "--dtypes", "float32", "--variants", "alphaadam-fused,adamw-loop", "--seconds", "1"]
    assert command_line.main(["speed", *arguments, "--devices", "cpu,cuda", "--output", str(tmp_path)]) == 0
    assert [(str(cell), *rest) for cell, *rest in measured] == [
        (f"{device} float32 2x5 {variant}", 1.0, True)
        for device in ("cpu", "cuda")
        for variant in ("alphaadam-fused", "adamw-loop")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["torch-speed-cpu.json", "torch-speed-cuda.json"]
    shown = capsys.readouterr()
    assert "not measured: fused needs numba" in shown.out
    assert "|  2.00 |" in shown.out
    assert "[2/2] cpu float32 2x5 adamw-loop: 2.000 of AdamW's time" in shown.err


def test_the_table_can_be_made_from_the_files_again(measured, tmp_path, capsys, monkeypatch):
    command_line.main(["speed", "--shapes", "2x5", "--output", str(tmp_path)])
    command_line.main(["scaling", "--shapes", "1x1000", "--output", str(tmp_path)])
    capsys.readouterr()
    monkeypatch.setattr(speed_commands, "load_speed_module", lambda: pytest.fail("measures"))
    files = [str(tmp_path / f"torch-{kind}-cpu.json") for kind in ("speed", "scaling")]
    assert command_line.main(["speed", "--table", *files]) == 0
    text = capsys.readouterr().out
    assert "relative to `torch.optim.AdamW(fused=True)`" in text
    assert "Launch overhead and bandwidth apart" in text


def test_by_default_everything_but_compiling_is_measured_on_the_devices_that_are_here(measured, tmp_path):
    command_line.main(["speed", "--output", str(tmp_path)])
    assert {cell.device for cell, *_ in measured} == {"cpu"}
    assert {cell.shapes for cell, *_ in measured} == {"gpt2-small", "gpt2-medium", "gpt2-large"}
    assert {cell.dtype for cell, *_ in measured} == {"float32", "bfloat16"}
    assert {cell.variant for cell, *_ in measured} == set(SPEED.variants)
    assert not any("compile" in cell.variant for cell, *_ in measured)


def test_scaling_measures_no_memory_and_has_a_file_of_its_own(measured, tmp_path, capsys):
    assert command_line.main(["scaling", "--output", str(tmp_path)]) == 0
    assert {(seconds, transient) for _, seconds, transient in measured} == {(SCALING.seconds, False)}
    assert len(read_json(tmp_path / "torch-scaling-cpu.json")["cells"]) == len(measured)
    assert "1 × 100,000,000" in capsys.readouterr().out


def test_a_second_run_measures_only_what_is_missing_and_again_everything(measured, tmp_path):
    arguments = ["speed", "--shapes", "2x5", "--dtypes", "float32", "--output", str(tmp_path), "--variants"]
    command_line.main([*arguments, "adamw-loop"])
    command_line.main([*arguments, "adamw-loop,adamw-foreach"])
    assert [cell.variant for cell, *_ in measured] == ["adamw-loop", "adamw-foreach"]
    command_line.main([*arguments, "adamw-loop", "--again"])
    assert len(measured) == 3


def test_the_number_of_threads_is_set_and_recorded(measured, tmp_path):
    command_line.main(
        ["speed", "--shapes", "2x5", "--variants", "adamw-loop", "--threads", "3", "--output", str(tmp_path)]
    )
    assert read_json(tmp_path / "torch-speed-cpu.json")["environments"][0]["threads"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--devices", "tpu"], "unknown device 'tpu'; choose one of: cpu, cuda"),
        (["--shapes", "gpt2-small,gpt3"], "unknown model 'gpt3'; choose one of: gpt2-nano"),
        (["--dtypes", "int8"], "unknown dtype 'int8'; choose one of: float32, bfloat16"),
        (["--variants", "fused"], "unknown variant 'fused'; choose one of: alphaadam-fused, alphaadam-foreach"),
        (["--seconds", "long"], "'long' is no finite number >= 0"),
        (["--seconds", "nan"], "'nan' is no finite number >= 0"),
        (["--threads", "0"], "'0' is no whole number > 0"),
    ],
)
@pytest.mark.parametrize("command", ["speed", "scaling"])
def test_bad_arguments_are_refused_before_anything_runs(command, arguments, message, measured, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main([command, *arguments])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert measured == []


def test_a_file_that_is_no_result_is_named(tmp_path, capsys):
    path = tmp_path / "other.json"
    path.write_text("{}")
    assert command_line.main(["speed", "--table", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"python -m bench speed: {path} is no result of")


@pytest.mark.parametrize("command", ["speed", "scaling"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main([command, "--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    for taught in ("examples:", "variants", "resumes where it stopped", f"torch-{command}-DEVICE.json", "noise"):
        assert taught in text


def test_results_are_kept_beside_the_benchmarks():
    assert RESULTS.parts[-2:] == ("bench", "results")
