"""The command ``python -m bench compare``."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.arguments import whole_number
from bench.compare.memory import trial_bytes
from bench.compare.plan import Plan, default_grid
from bench.compare.pool import LocalPool, Pool
from bench.compare.progress import Lines
from bench.compare.report import report, table
from bench.compare.sweep import compare
from bench.compare.trials import Trial
from bench.machine import available_bytes, cores
from bench.names import COMPARED, OPTIMIZERS, check_name
from bench.records import read_json, write_json
from bench.settings import RELATIVE_RATES
from bench.tasks import Task, get_task
from bench.trial_options import add_trial_options, data_of, execution_of, rate

MEMORY_PART = 0.8
"""Part of the available memory that trials may plan with; estimates err, and others work here, too."""

_EPILOG = f"""\
learning rates:
  --lrs 1e-3,2e-3,4e-3             the grid of every optimizer that has none of its own; each rate doubles the last
  --lrs lion=1e-4,2e-4,4e-4        the grid of one optimizer; may be given again for others
  --lrs 4e-3 --fixed-grids         no search: this rate for all that have none of their own, as where the best rates are
                                   known from another framework; trials with the final seeds alone
  Every optimizer gets the same number of rates. Without --lrs it is five around the task's tuned rate, or, where none
  is known, around AdamW's times {", ".join(f"{factor:g} for {name}" for name, factor in RELATIVE_RATES.items())}.

the folder:
  One record a trial, FRAMEWORK-OPTIMIZER-RATE-SEED-DIGEST.jsonl: a header, a line for each step and each validation, a
  footer. A trial whose record is there is not run again, so a comparison that was interrupted or killed resumes where
  it stopped: start the same command again. Trials that did not end are kept under unfinished/, with the reason, and are
  run again; so are those that failed twice (*.failed.jsonl). The result is comparison.json; --table prints it again.

examples:
  python -m bench compare --optimizers alphaadam,adamw,cautious-adamw --lrs 1e-3,2e-3,4e-3,8e-3,16e-3
  python -m bench compare --optimizers adamw,lion,sgd --lrs 2e-3,4e-3 --lrs lion=2e-4,4e-4 --lrs sgd=0.1,0.2
  python -m bench compare --framework jax --seeds 1,2,3 --threads 2 --jobs 1
  python -m bench compare --framework keras --optimizers adamw,lion --lrs 4e-3 --lrs lion=1e-3 --fixed-grids --seeds 3
                                                              at the rates that were found in PyTorch
  python -m bench compare --steps 20 --seeds 2                a short look at how it works: another task digest
  python -m bench compare --ray auto                          on the Ray cluster that this machine belongs to
  python -m bench compare --table results/compare/gpt2-nano-torch
"""


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "compare",
        help="compare optimizers: the same search for each, then fresh seeds",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compare optimizers on a task: search each one's learning rate with the same number of trials on\n"
        "one seed, by the validation loss at the end of the budget; extend the grid of those whose best rate lies\n"
        "at its edge; train with the best rate and fresh seeds. Prints means with 95 % intervals, the paired\n"
        "difference to AdamW and the steps to its losses as Markdown.",
        epilog=_EPILOG,
    )
    add_trial_options(parser)
    parser.add_argument(
        "--optimizers",
        type=_optimizers,
        default=OPTIMIZERS,
        metavar="A,B",
        help=f"optimizers out of {', '.join(COMPARED)} (default: {','.join(OPTIMIZERS)})",
    )
    parser.add_argument(
        "--lrs", type=_rates, action="append", default=[], metavar="[NAME=]RATE,…", help="learning rates, see below"
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=5,
        metavar="N|A,B",
        help="how many final seeds, or which (default: %(default)s, those that follow the task's own, which is the"
        " search's)",
    )
    parser.add_argument("--fixed-grids", action="store_true", help="never extend a grid; an edge is only reported")
    parser.add_argument(
        "--every",
        type=whole_number,
        default=20,
        metavar="K",
        help="observe each K-th step: gradient"
        " and update norm, and for each tensor mask fraction and alpha (default: %(default)s)",
    )
    parser.add_argument(
        "--directions",
        action="store_true",
        help="measure gradient correlation and directional sharpness there, too, by a Hessian-vector product (PyTorch)",
    )
    parser.add_argument(
        "--steps",
        type=whole_number,
        help="shorten the task to so many steps, to try things out: that is another task, with another digest",
    )
    parser.add_argument(
        "--threads",
        type=whole_number,
        default=1,
        metavar="N",
        help="threads of a trial; rounding depends on them, so they are fixed and recorded (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number,
        metavar="N",
        help="most trials at a time (default: cores / threads, on a GPU one); never more than memory holds",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="run the trials on a Ray cluster; auto is the one this machine belongs to"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder of records and result (default: results/compare/TASK-FRAMEWORK)",
    )
    parser.add_argument(
        "--table", type=Path, metavar="FOLDER", help="print the table of a finished comparison and run nothing"
    )
    parser.set_defaults(run=lambda options: _run(options, parser))


def _optimizers(text: str) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(check_name("optimizer", name, COMPARED) for name in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _rates(text: str) -> tuple[str | None, tuple[float, ...]]:
    name, equals, numbers = text.rpartition("=")
    if equals and name not in COMPARED:
        raise argparse.ArgumentTypeError(f"unknown optimizer {name!r}; choose one of: {', '.join(COMPARED)}")
    return name or None, tuple(sorted({rate(number) for number in numbers.split(",")}))


def _seeds(text: str) -> int | tuple[int, ...]:
    if "," not in text:
        return whole_number(text)
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seeds nor seeds like 1,2,3")
    return tuple(int(number) for number in numbers)


def shortened(task: Task, steps: int) -> Task:
    """The task with a budget of fewer steps and a warm-up that is shorter in proportion.

    Raises:
        ValueError: The task is not so long.
    """
    if not 1 <= steps <= task.steps:
        raise ValueError(f"--steps {steps} is not possible; {task.name} has 1 to {task.steps}")
    return replace(task, steps=steps, warmup_steps=task.warmup_steps * steps // task.steps)


def _plan(options: argparse.Namespace) -> Plan:
    task = get_task(options.task)
    if options.steps is not None:
        task = shortened(task, options.steps)
    if options.parallel in ("ddp", "fsdp"):
        raise ValueError(f"--parallel {options.parallel} needs torchrun, which starts one trial: use `run` for it")
    if options.directions and options.framework != "torch":
        raise ValueError(f"--directions are measured with PyTorch, not with --framework {options.framework}")
    for name, _ in options.lrs:
        if name is not None and name not in options.optimizers:
            raise ValueError(f"--lrs {name}=…: {name} is not among --optimizers {','.join(options.optimizers)}")
    given = dict(options.lrs)
    seeds = options.seeds
    if isinstance(seeds, int):
        seeds = tuple(range(task.seed + 1, task.seed + 1 + seeds))
    data = data_of(options)
    from bench.tasks.inputs import make_inputs

    return Plan(
        task,
        make_inputs(task, data).digest(),
        options.framework,
        {name: given.get(name) or given.get(None) or default_grid(task, name) for name in options.optimizers},
        seeds,
        not options.fixed_grids,
        options.every,
        options.directions,
        options.threads,
        data,
        execution_of(options),
    )


def jobs_for(trial: Trial, asked: int | None) -> int:
    """How many such trials may run at a time on this machine.

    Raises:
        RuntimeError: Not even one fits.
    """
    if trial.threads > cores():
        raise RuntimeError(f"--threads {trial.threads}: this machine has {cores()} cores")
    fits = available_bytes() * MEMORY_PART / trial_bytes(trial)
    if fits < 1:
        raise RuntimeError(
            f"a trial needs about {trial_bytes(trial) / 1e9:.1f} GB, and {available_bytes() / 1e9:.1f} GB of memory are"
            " available; try --micro-batches"
        )
    holds = cores() // trial.threads if trial.execution.device == "cpu" else asked or 1
    jobs = math.floor(min(asked or holds, holds, fits))
    if asked and jobs < asked:
        print(f"--jobs {asked}: this machine holds {jobs} such trials at a time", file=sys.stderr)
    return jobs


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if options.table:
        print(table(read_json(options.table / "comparison.json")), end="")
        return 0
    try:
        plan = _plan(options)
    except ValueError as wrong:
        parser.error(str(wrong))
    folder = (options.output or Path("results/compare", f"{options.task}-{options.framework}")).absolute()
    pool, jobs = _pool(options, plan, folder)
    first = sum(len(plan.search(optimizer, {}).grid) for optimizer in plan.grids)
    print(
        f"{plan.task.name}, {plan.framework}: {first} trials of the search, {len(plan.seeds) * len(plan.grids)} with"
        f" final seeds; {jobs} at a time, threads {plan.threads} each; records in {folder}",
        file=sys.stderr,
    )
    results = compare(plan, folder, pool, Lines(jobs))
    content = report(plan, results)
    write_json(folder / "comparison.json", content)
    print(table(content), end="")
    print(f"wrote {folder / 'comparison.json'}", file=sys.stderr)
    if content["failedTrials"]:
        number = len(content["failedTrials"])
        print(
            f"python -m bench compare: {number} trials failed twice, see {folder}/*.failed.jsonl; run again to try"
            " anew",
            file=sys.stderr,
        )
        return 1
    return 0


def _pool(options: argparse.Namespace, plan: Plan, folder: Path) -> tuple[Pool, int]:
    """Where the trials run, and how many at a time."""
    example = plan.search_trial(next(iter(plan.grids)), 1.0)
    if options.ray is None:
        jobs = jobs_for(example, options.jobs)
        return LocalPool(folder, jobs, trial_bytes(example)), jobs
    from bench.compare.ray_pool import RayPool

    pool = RayPool(folder, options.ray, example, trial_bytes(example), options.jobs)
    return pool, pool.jobs()
