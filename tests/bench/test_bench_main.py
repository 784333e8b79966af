"""Tests of the command line, with a trial that trains nothing."""

import json
from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import run_commands
from bench.tasks.execution import Execution


@pytest.fixture
def trials(monkeypatch):
    """The arguments of each trial."""

    class Calls(list):
        settings = None

    calls = Calls()

    def train(task, framework, optimizer, learning_rate, steps, progress, **settings):
        calls.append((task.name, framework, optimizer, learning_rate, steps))
        calls.settings = settings
        progress(1, 2, 5.0)
        progress(2, 2, 4.0)
        loss = abs((learning_rate or 1) - 2e-3)
        return {"versions": {}, "divergedAtStep": None, "validation": [{"budgetPercent": 100, "loss": loss}]}

    monkeypatch.setattr(run_commands, "train", train)
    return calls


def test_run_writes_the_record_and_shows_progress(trials, tmp_path, capsys):
    output = tmp_path / "record.json"
    arguments = ["run", "--framework", "jax", "--optimizer", "adamw", "--learning-rate", "2e-3", "--steps", "2"]
    assert command_line.main([*arguments, "--output", str(output)]) == 0
    assert trials == [("gpt2-nano", "jax", "adamw", 2e-3, 2)]
    assert json.loads(output.read_text())["validation"] == [{"budgetPercent": 100, "loss": 0.0}]
    shown = capsys.readouterr()
    assert "step 2/2, loss 4.0000, 0 s left" in shown.err
    assert shown.out == ""


def test_run_without_an_output_prints_the_record_alone(trials, capsys):
    assert command_line.main(["run"]) == 0
    assert json.loads(capsys.readouterr().out)["divergedAtStep"] is None
    assert trials == [("gpt2-nano", "torch", "alphaadam", None, None)]


def test_run_hands_on_how_a_trial_is_carried_out(trials):
    arguments = ["run", "--optimizer", "sgd", "--learning-rate", "1", "--seed", "7", "--data", "owt", "--compile"]
    command_line.main([*arguments, "--device", "cuda", "--micro-batches", "4", "--parallel", "ddp"])
    assert trials.settings == {
        "seed": 7,
        "data": str(Path("owt").absolute()),
        "execution": Execution("cuda", True, 4, "ddp"),
    }


def test_of_several_processes_the_first_alone_writes(trials, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert command_line.main(["run", "--output", str(tmp_path / "record.json")]) == 0
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--optimizer", "adm"], "invalid choice: 'adm' (choose from"),
        (["run", "--framework", "tensorflow"], "invalid choice: 'tensorflow' (choose from"),
        (["run", "--task", "gpt2"], "invalid choice: 'gpt2' (choose from"),
        (["run", "--learning-rate", "fast"], "'fast' is no finite number > 0"),
        (["run", "--learning-rate", "-1"], "'-1' is no finite number > 0"),
        ([], "required: command"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(trials, arguments, message, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert trials == []


def test_an_error_is_one_line_without_a_traceback(monkeypatch, capsys):
    def train(*arguments, **settings):
        raise FileNotFoundError("the text is missing; install it")

    monkeypatch.setattr(run_commands, "train", train)
    assert command_line.main(["run"]) == 1
    assert capsys.readouterr().err == "python -m bench run: the text is missing; install it\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["compare", "--help"]])
def test_help_is_there(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main(arguments)
    assert exit.value.code == 0
    assert "task" in capsys.readouterr().out
