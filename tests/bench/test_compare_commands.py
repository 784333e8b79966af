"""Tests of the command line of compare, with trials that train nothing."""

import json

import pytest

from bench import __main__ as command_line
from bench.compare import commands as compare_commands
from bench.tasks import get_task
from tests.bench.comparing import carry_out, plan, valley


@pytest.fixture
def asked(monkeypatch):
    """The plans that were carried out, and how their trials end."""

    class Asked(list):
        outcome = staticmethod(lambda trial: "finished")

    plans = Asked()

    def compare(plan, folder, pool, progress):
        plans.append(plan)
        return carry_out(plan, valley(2e-3), plans.outcome)

    monkeypatch.setattr(compare_commands, "compare", compare)
    return plans


def main(tmp_path, *arguments):
    return command_line.main(["compare", "--output", str(tmp_path), *arguments])


def test_the_result_is_written_and_printed(asked, tmp_path, capsys):
    assert main(tmp_path, "--optimizers", "adamw,lion", "--lrs", "1e-3,2e-3,4e-3", "--lrs", "lion=1e-3,2e-3,4e-3") == 0
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["optimizers"].keys() == {"adamw", "lion"}
    shown = capsys.readouterr()
    assert "| adamw | 0.002 | 3 |" in shown.out
    assert "6 trials of the search, 10 with final seeds" in shown.err
    assert command_line.main(["compare", "--table", str(tmp_path)]) == 0
    assert capsys.readouterr().out == shown.out


def test_arguments_become_the_plan(asked, tmp_path):
    main(
        tmp_path,
        *("--framework", "jax", "--optimizers", "sgd,adamw", "--lrs", "sgd=2e-1,1e-1,4e-1", "--lrs", "4e-3,8e-3,16e-3"),
        *("--seeds", "3,5", "--every", "7", "--fixed-grids", "--micro-batches", "2", "--steps", "36"),
    )
    (plan,) = asked
    assert plan.grids == {"sgd": (0.1, 0.2, 0.4), "adamw": (4e-3, 8e-3, 16e-3)}
    assert (plan.framework, plan.seeds, plan.every, plan.extend) == ("jax", (3, 5), 7, False)
    assert plan.execution.micro_batches == 2
    assert (plan.task.steps, plan.task.warmup_steps) == (36, 18)


def test_seeds_follow_the_searchs_and_grids_have_defaults(asked, tmp_path):
    main(tmp_path, "--seeds", "2")
    (plan,) = asked
    seed = get_task("gpt2-nano").seed
    assert plan.seeds == (seed + 1, seed + 2)
    assert plan.grids["adamw"] == (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)


def test_failed_trials_are_said_and_the_exit_code_is_one(asked, tmp_path, capsys):
    asked.outcome = lambda trial: "failed" if trial.learning_rate == 4e-3 else "finished"
    assert main(tmp_path, "--optimizers", "adamw", "--lrs", "1e-3,2e-3,4e-3") == 1
    assert "1 trials failed twice" in capsys.readouterr().err
    assert (tmp_path / "comparison.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizers", "adamw,adm"], "unknown optimizer 'adm'; choose one of: alphaadam, adamw"),
        (["--lrs", "1e-3,fast"], "'fast' is no finite number > 0"),
        (["--lrs", "adm=1e-3"], "unknown optimizer 'adm'"),
        (["--lrs", "lion=1e-3"], "lion is not among --optimizers"),
        (["--lrs", "1e-3,3e-3"], "learning rates of alphaadam: 0.003 is not the double of 0.001"),
        (["--lrs", "adamw=1e-3"], "every optimizer gets the same number of learning rates"),
        (["--seeds", "0"], "'0' is no whole number > 0"),
        (["--seeds", "1,x"], "'1,x' is neither a number of seeds nor seeds like 1,2,3"),
        (["--seeds", f"1,{get_task('gpt2-nano').seed}"], "is the one that the rates are searched with"),
        (["--steps", "361"], "--steps 361 is not possible; gpt2-nano has 1 to 360"),
        (["--parallel", "ddp"], "--parallel ddp needs torchrun, which starts one trial: use `run` for it"),
        (["--directions", "--framework", "jax"], "--directions are measured with PyTorch, not with --framework jax"),
        (["--jobs", "0"], "'0' is no whole number > 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(asked, tmp_path, arguments, message, capsys):
    with pytest.raises(SystemExit) as exit:
        main(tmp_path, *arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert asked == []


def test_jobs_are_what_cores_and_memory_hold(monkeypatch, capsys):
    trial = plan().wanted({})[0]
    monkeypatch.setattr(compare_commands, "cores", lambda: 4)
    monkeypatch.setattr(compare_commands, "trial_bytes", lambda trial: 1e9)
    for available, asked, jobs in ((64e9, None, 4), (64e9, 2, 2), (64e9, 9, 4), (2.6e9, None, 2), (2.6e9, 3, 2)):
        monkeypatch.setattr(compare_commands, "available_bytes", lambda available=available: available)
        assert compare_commands.jobs_for(trial, asked) == jobs
    assert "--jobs 9: this machine holds 4 such trials at a time" in capsys.readouterr().err
    monkeypatch.setattr(compare_commands, "available_bytes", lambda: 1e9)
    with pytest.raises(RuntimeError, match=r"a trial needs about 1\.0 GB, and 1\.0 GB of memory are available"):
        compare_commands.jobs_for(trial, 1)
