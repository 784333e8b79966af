"""Tests of the command line, with a trial that trains nothing."""

import json

import pytest

from bench import __main__ as command_line


@pytest.fixture
def trials(monkeypatch):
    """The arguments of each trial."""
    calls = []

    def train(task, framework, optimizer, learning_rate, steps=None, progress=None):
        calls.append((task.name, framework, optimizer, learning_rate, steps))
        progress(1, 2, 5.0)
        progress(2, 2, 4.0)
        loss = abs((learning_rate or 1) - 2e-3)
        return {"versions": {}, "divergedAtStep": None, "validation": [{"budgetPercent": 100, "loss": loss}]}

    monkeypatch.setattr(command_line, "train", train)
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


def test_search_writes_the_best_rates(trials, tmp_path, capsys):
    assert command_line.main(["search", "--optimizers", "adamw,alphaadam", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "adamw: 0.002\nalphaadam: 0.002\n"
    result = json.loads((tmp_path / "search.json").read_text())
    assert result["bestLearningRate"] == {"adamw": 0.002, "alphaadam": 0.002}
    assert result["command"].endswith("search --task gpt2-nano --framework torch --optimizers adamw,alphaadam")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--optimizer", "adm"], "invalid choice: 'adm' (choose from"),
        (["run", "--framework", "tensorflow"], "invalid choice: 'tensorflow' (choose from"),
        (["run", "--task", "gpt2"], "invalid choice: 'gpt2' (choose from"),
        (["run", "--learning-rate", "fast"], "'fast' is no finite number > 0"),
        (["run", "--learning-rate", "-1"], "'-1' is no finite number > 0"),
        (
            ["search", "--optimizers", "adamw,sgd"],
            "unknown optimizer 'sgd' (choose from alphaadam, adamw, cautious-adamw)",
        ),
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

    monkeypatch.setattr(command_line, "train", train)
    assert command_line.main(["run"]) == 1
    assert capsys.readouterr().err == "python -m bench run: the text is missing; install it\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["search", "--help"]])
def test_help_is_there(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        command_line.main(arguments)
    assert exit.value.code == 0
    assert "task" in capsys.readouterr().out
