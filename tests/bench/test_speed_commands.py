"""Tests of the commands speed and scaling, with measurements that take no time."""

from types import SimpleNamespace

import pytest

from bench import __main__ as command_line
from bench.paired import shapes_of
from bench.records import read_json
from bench.speed import commands as speed_commands
from bench.speed import plans as speed_plans
from bench.speed import runs as speed_runs
from bench.speed.cells import RESULTS
from bench.speed.plans import FRAMEWORKS

SPEED, SCALING = (FRAMEWORKS["torch"].plans[kind] for kind in ("speed", "scaling"))
TORCH = ["speed", "--frameworks", "torch"]


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
    monkeypatch.setattr(speed_runs, "load_speed_module", lambda name: module)
    return calls


def test_speed_writes_one_file_for_each_device_and_prints_the_table(measured, tmp_path, capsys):
    arguments = ["--shapes", "2x5", "--dtypes", "float32", "--variants", "alphaadam-fused,adamw-loop", "--seconds", "1"]
    assert command_line.main([*TORCH, *arguments, "--devices", "cpu,cuda", "--output", str(tmp_path)]) == 0
    assert [(str(cell), *rest) for cell, *rest in measured] == [
        (f"{device} float32 2x5 {variant}", 1.0, True)
        for device in ("cpu", "cuda")
        for variant in ("alphaadam-fused", "adamw-loop")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["torch-speed-cpu.json", "torch-speed-cuda.json"]
    shown = capsys.readouterr()
    assert "not measured: fused needs numba" in shown.out
    assert "|  2.00 |" in shown.out
    assert "torch: [2/2] cpu float32 2x5 adamw-loop: 2.000 of AdamW's time" in shown.err


def test_the_table_can_be_made_from_the_files_again(measured, tmp_path, capsys, monkeypatch):
    command_line.main([*TORCH, "--shapes", "2x5", "--output", str(tmp_path)])
    command_line.main(["scaling", "--shapes", "1x1000", "--output", str(tmp_path)])
    capsys.readouterr()
    monkeypatch.setattr(speed_runs, "load_speed_module", lambda name: pytest.fail("measures"))
    files = [str(tmp_path / f"torch-{kind}-cpu.json") for kind in ("speed", "scaling")]
    assert command_line.main(["speed", "--table", *files]) == 0
    text = capsys.readouterr().out
    assert "relative to `torch.optim.AdamW(fused=True)`" in text
    assert "Launch overhead and bandwidth apart" in text


def test_by_default_everything_but_compiling_is_measured_on_the_devices_that_are_here(measured, tmp_path):
    command_line.main([*TORCH, "--output", str(tmp_path)])
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
    arguments = [*TORCH, "--shapes", "2x5", "--dtypes", "float32", "--output", str(tmp_path), "--variants"]
    command_line.main([*arguments, "adamw-loop"])
    command_line.main([*arguments, "adamw-loop,adamw-foreach"])
    assert [cell.variant for cell, *_ in measured] == ["adamw-loop", "adamw-foreach"]
    command_line.main([*arguments, "adamw-loop", "--again"])
    assert len(measured) == 3


def test_the_number_of_threads_is_set_and_recorded(measured, tmp_path):
    command_line.main(
        [*TORCH, "--shapes", "2x5", "--variants", "adamw-loop", "--threads", "3", "--output", str(tmp_path)]
    )
    assert read_json(tmp_path / "torch-speed-cpu.json")["environments"][0]["threads"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--devices", "tpu"], "unknown device 'tpu'; choose one of: cpu, cuda"),
        (["--shapes", "gpt2-small,gpt3"], "unknown model 'gpt3'; choose one of: gpt2-nano"),
        (["--dtypes", "int8"], "unknown dtype 'int8'; choose one of: float32, bfloat16"),
        (["--variants", "fused"], "unknown variant 'fused'; choose one of: "),
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frameworks", "torch,jax"], "unknown framework 'jax'; choose one of: torch, optax, keras-jax"),
        (
            ["--frameworks", "optax", "--variants", "alphaadam-fused"],
            "unknown variant 'alphaadam-fused'; choose one of: alphaadam-jit, alphaadam-alpha1-jit",
        ),
        (["--variants", "jit"], "unknown variant 'jit'; choose one of: torch: alphaadam-fused"),
        (["--variants", "jit"], "; keras-tensorflow: alphaadam-jit, adamw-jit, alphaadam-graph"),
        (
            ["--frameworks", "optax,keras-torch", "--variants", "adamw-jit"],
            "keras-torch has none of the variants adamw-jit; choose one of: alphaadam-eager, adamw-eager",
        ),
    ],
)
def test_a_name_that_a_framework_has_not_is_refused_with_those_that_it_has(arguments, message, measured, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main(["speed", *arguments])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert measured == []


def test_scaling_knows_pytorch_alone(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["scaling", "--frameworks", "torch"])
    with pytest.raises(SystemExit):
        command_line.main(["scaling", "--variants", "alphaadam-jit"])
    assert "unknown variant 'alphaadam-jit'; choose one of: alphaadam-fused" in capsys.readouterr().err


@pytest.fixture
def chosen(monkeypatch):
    """The frameworks that were measured in processes of their own, where TensorFlow is not installed."""
    calls = []

    def measure(names, request):
        calls.append((names, request))
        return [], []

    monkeypatch.setattr(speed_commands, "measure_frameworks", measure)
    monkeypatch.setattr(
        speed_plans.importlib.util, "find_spec", lambda name: None if name == "tensorflow" else SimpleNamespace()
    )
    return calls


def test_by_default_all_frameworks_that_are_installed_are_measured(chosen, tmp_path, capsys):
    assert command_line.main(["speed", "--output", str(tmp_path)]) == 0
    assert chosen == [(["torch", "optax", "keras-jax", "keras-torch"], speed_runs.Request("speed", tmp_path))]
    assert capsys.readouterr().err == "keras-tensorflow is left out: tensorflow is not installed\n"


def test_without_any_framework_it_is_said(chosen, monkeypatch, capsys):
    monkeypatch.setattr(speed_plans.Framework, "missing", lambda self: ["numpy"])
    assert command_line.main(["speed"]) == 1
    assert "python -m bench speed: no framework is installed; run `python -m pip install" in capsys.readouterr().err
    assert chosen == []


def test_a_framework_that_is_named_is_not_left_out_in_silence(chosen):
    command_line.main(["speed", "--frameworks", "optax,keras-tensorflow"])
    assert [names for names, _ in chosen] == [["optax", "keras-tensorflow"]]


def test_a_variant_chooses_the_frameworks_that_have_it(chosen):
    command_line.main(["speed", "--variants", "alphaadam-eager", "--dtypes", "bfloat16"])
    ((names, request),) = chosen
    assert names == ["optax", "keras-jax", "keras-torch"]
    assert (request.variants, request.dtypes) == (("alphaadam-eager",), ("bfloat16",))


def test_what_went_wrong_in_one_framework_is_told_after_the_tables_of_the_others(chosen, monkeypatch, capsys):
    monkeypatch.setattr(speed_commands, "measure_frameworks", lambda names, request: ([], ["optax: no"]))
    assert command_line.main(["speed"]) == 1
    assert capsys.readouterr().err.endswith("python -m bench speed: optax: no\n")


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
    for taught in ("examples:", "variants", "resumes where it stopped", f"FRAMEWORK-{command}-DEVICE.json", "noise"):
        assert taught in text


def test_results_are_kept_beside_the_benchmarks():
    assert RESULTS.parts[-2:] == ("bench", "results")
