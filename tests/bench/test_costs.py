"""Tests of the command costs: the file that resumes, what cannot be measured, and a real measurement."""

import json
import math
import re
import subprocess

import pytest

from bench import __main__ as command_line
from bench.costs import commands
from bench.costs.measure import quotients
from bench.costs.run import Costs, fill, in_process, load, table
from bench.tasks import get_task, parameter_shapes

TASK = get_task("gpt2-nano")
HERE = {"device": "a", "versions": {"torch": "2"}}


def answer(ratio=2.0, period=1, environment=HERE):
    return {
        "measured": {
            "takes": {"rule": "every tensor", "tensors": ["w"], "others": None},
            "settings": {},
            "source": {"library": "torch", "version": "2"},
            "stateBytes": 100,
            "stateBytesPerParameter": 8.0,
            "seconds": 1e-3,
            "baselineSeconds": 1e-3 / ratio,
            "ratio": {"lower": ratio - 0.1, "median": ratio, "upper": ratio + 0.1},
            "rounds": 6,
            "amortisedOver": period,
        },
        "environment": environment,
    }


@pytest.fixture
def measured(monkeypatch):
    """Optimizers that were measured, and what each answers beside the usual."""

    class Asked(list):
        answers = {}  # noqa: RUF012

    asked = Asked()

    def measure(framework, optimizer, task, seconds, threads):
        asked.append(optimizer)
        found = asked.answers.get(optimizer, answer())
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(commands, "in_process", measure)
    return asked


def main(path, *arguments):
    return command_line.main(["costs", "--output", str(path), *arguments])


def test_an_interrupted_run_resumes_where_it_stopped(measured, tmp_path, capsys):
    path = tmp_path / "costs.json"
    measured.answers["lion"] = KeyboardInterrupt()
    assert main(path, "--optimizers", "adamw,lion,sgd") == 130
    assert list(load(path)["optimizers"]) == ["adamw"]
    del measured.answers["lion"], measured[:]
    assert main(path, "--optimizers", "adamw,lion,sgd") == 0
    assert measured == ["lion", "sgd"]
    shown = capsys.readouterr()
    assert "1 of 3 are in" in shown.err
    assert "[1/2] torch lion: 2.000 of AdamW's time (1.900 to 2.100), 8.00 bytes a parameter" in shown.err
    assert "| lion | every tensor | torch 2 | 8.00 | 2.00 (1.90 to 2.10) | 1 |" in shown.out
    assert main(path, "--optimizers", "sgd", "--again") == 0
    assert measured == ["lion", "sgd", "sgd"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["costs.json"]


def test_what_has_no_figures_is_named_with_its_reason_and_tried_again(measured, tmp_path, capsys):
    path = tmp_path / "costs.json"
    measured.answers["lion"] = {"reason": "lion-pytorch is not installed"}
    assert main(path, "--optimizers", "lion,adamw") == 1
    shown = capsys.readouterr()
    assert "- lion: lion-pytorch is not installed" in shown.out
    assert "no figures of lion; the file says why" in shown.err
    assert set(load(path)["optimizers"]["lion"]) == {"date", "reason"}
    measured.answers.clear()
    assert main(path, "--optimizers", "lion,adamw") == 0
    assert measured == ["lion", "adamw", "lion"]
    assert "reason" not in load(path)["optimizers"]["lion"]


def test_an_environment_is_kept_as_long_as_something_was_measured_with_it(tmp_path):
    costs = Costs(tmp_path / "costs.json", "torch", TASK)
    other = {"device": "b"}
    costs.put("adamw", answer())
    costs.put("lion", answer(environment=other))
    assert (costs.environment("adamw"), costs.environment("lion")) == (HERE, other)
    costs.put("adamw", answer(environment=other))
    costs.put("sgd", {"reason": "none"})
    assert load(costs.path)["environments"] == [other]
    assert Costs(costs.path, "torch", TASK).environment("adamw") == other


def test_optimizers_stand_in_the_order_in_which_they_are_listed(tmp_path):
    costs = Costs(tmp_path / "costs.json", "torch", TASK)
    fill(costs, ["muon", "newer", "adamw"], lambda name: answer(), show=lambda line: None)
    assert list(load(costs.path)["optimizers"]) == ["adamw", "muon", "newer"]


@pytest.mark.parametrize(("framework", "task"), [("jax", "gpt2-nano"), ("torch", "gpt2-micro")])
def test_a_file_of_something_else_is_refused(tmp_path, framework, task):
    costs = Costs(tmp_path / "costs.json", "torch", TASK)
    costs.put("adamw", answer())
    with pytest.raises(ValueError, match=r"is of the (framework torch|task gpt2-nano), not .*; give another --output"):
        Costs(costs.path, framework, get_task(task))
    costs.path.write_text("{}")
    with pytest.raises(ValueError, match="is no result of `python -m bench costs`"):
        Costs(costs.path, "torch", TASK)


def test_the_table_is_printed_again(measured, tmp_path, capsys):
    measured.answers["galore"] = answer(1.5, period=20)
    main(tmp_path / "costs.json", "--optimizers", "galore,adamw")
    shown = capsys.readouterr().out
    assert "8.00 | 1.50 (1.40 to 1.60) | 20 |" in shown
    assert command_line.main(["costs", "--table", str(tmp_path / "costs.json")]) == 0
    assert capsys.readouterr().out == shown == table(load(tmp_path / "costs.json"))


def test_expensive_steps_are_spread_over_their_period():
    # Every fifth step takes 6 and the others 1, so 2 on average, twice AdamW's; in the median of rounds it would be 1.
    seconds = [6 if step % 5 == 3 else 1 for step in range(20)]
    assert quotients(seconds, [1] * 20, 5) == [2] * 4
    assert quotients([2, 8, 2, 8], [1, 1, 2, 2], 1) == pytest.approx([4, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizers", "adamw,adm"], "unknown optimizer 'adm'; choose one of: alphaadam"),
        (["--seconds", "0"], "'0' is no number of seconds"),
        (["--threads", "0"], "'0' is no whole number > 0"),
        (["--framework", "flax"], "invalid choice: 'flax'"),
    ],
)
def test_bad_arguments_are_refused(measured, tmp_path, arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(tmp_path / "costs.json", *arguments)
    assert message in capsys.readouterr().err
    assert measured == []


def test_a_process_that_dies_or_takes_too_long_is_a_reason(monkeypatch):
    monkeypatch.setattr("bench.costs.run.LIMIT", 0.01)
    assert "it was not done after" in in_process("torch", "adamw", "gpt2-nano", 0.1, None)["reason"]
    monkeypatch.setattr("bench.costs.run.LIMIT", 60)
    said = in_process("flax", "adamw", "gpt2-nano", 0.1, None)["reason"]
    assert re.match(r"its process ended with exit code 1: .*flax", said)


def test_a_number_of_threads_is_that_of_every_library(monkeypatch):
    seen = []

    def run(command, env, **others):
        seen.append(env)
        return subprocess.CompletedProcess(command, 0, stdout='{"reason": "none"}', stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    for threads in (3, None):
        in_process("keras", "galore", "gpt2-nano", 0.1, threads)
    # LAPACK's, which makes its threads when Keras is imported, has no other way to learn of it.
    assert seen[0]["OPENBLAS_NUM_THREADS"] == seen[0]["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in seen[1]


def test_a_measurement_tells_state_and_time(tmp_path, capsys):
    pytest.importorskip("torch")
    path = tmp_path / "costs.json"
    assert main(path, "--optimizers", "adamw,exadam,muon", "--seconds", "0.01", "--threads", "1") == 0
    content = json.loads(path.read_text())
    adamw, exadam, muon = (content["optimizers"][name] for name in ("adamw", "exadam", "muon"))
    assert content["parameters"] == 842_496
    for entry in (adamw, exadam):
        # Two moments in float32, and a count of steps for each tensor.
        assert entry["stateBytes"] == pytest.approx(8 * content["parameters"], rel=1e-3)
        assert entry["ratio"]["lower"] <= entry["ratio"]["median"] <= entry["ratio"]["upper"]
        assert entry["rounds"] >= 6
        assert entry["seconds"] > 0
    assert (adamw["source"]["library"], exadam["source"]["library"]) == ("torch", "alphaadam")
    assert muon["takes"]["others"] == "adamw"
    # One buffer for the matrices in the blocks; two, and a count of steps for each tensor, for the rest.
    shapes = {name: math.prod(shape) for name, shape in parameter_shapes(get_task("gpt2-nano").model).items()}
    matrices = sum(shapes[name] for name in muon["takes"]["tensors"])
    counts = 4 * (len(shapes) - len(muon["takes"]["tensors"]))
    assert muon["stateBytes"] == 4 * matrices + 8 * (content["parameters"] - matrices) + counts
    environment = content["environments"][adamw["environment"]]
    assert environment["threads"] == 1
    assert environment["versions"]["torch"]
