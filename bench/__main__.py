"""The benchmarks outside asv.

``python -m bench run`` trains a task once, ``search`` tunes learning rates, ``speed`` times the optimizer's step in
every framework, ``scaling`` over many sizes in PyTorch.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.names import FRAMEWORKS, OPTIMIZERS
from bench.records import write_json
from bench.search import search
from bench.speed_commands import add_commands as add_speed_commands
from bench.tasks import TASKS, get_task
from bench.training import train


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as error:
        print(f"python -m bench {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written in part, and what was finished is kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="The benchmarks outside asv. A task fixes model, data, batch order, initial weights and schedule,"
        " so that records of the same task digest can be compared; run and search train it. speed and scaling time"
        " the optimizer's step alone.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser(
        "run",
        help="train a task once",
        description="Train a task once, with progress on stderr, and print or write its record as JSON.",
        epilog="example: python -m bench run --framework torch --optimizer alphaadam --output record.json",
    )
    _add_common(run)
    run.add_argument(
        "--optimizer", choices=OPTIMIZERS, default="alphaadam", help="optimizer to train with (default: %(default)s)"
    )
    run.add_argument(
        "--learning-rate",
        type=_rate,
        metavar="RATE",
        help="peak learning rate (default: the one tuned for the optimizer)",
    )
    run.add_argument("--steps", type=int, help="stop after so many steps of the schedule (default: the whole budget)")
    run.add_argument("--output", type=Path, metavar="FILE", help="write the record here (default: print it)")
    run.set_defaults(run=_run)

    tune = commands.add_parser(
        "search",
        help="find each optimizer's best learning rate",
        description="Train a task with learning rates a factor of 2 apart, until the best by final validation loss"
        " is not at the edge. Each trial is kept in the output folder and is not run again, so an interrupted"
        " search resumes where it stopped. The result is the file search.json there.",
        epilog="example: python -m bench search --optimizers alphaadam,adamw --output results/search",
    )
    _add_common(tune)
    tune.add_argument(
        "--optimizers",
        type=_optimizers,
        default=OPTIMIZERS,
        metavar="A,B",
        help="optimizers, separated by commas (default: all)",
    )
    tune.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("results/search"),
        help="folder for records and result (default: %(default)s)",
    )
    tune.set_defaults(run=_search)

    add_speed_commands(commands)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task", choices=tuple(TASKS), default="gpt2-nano", help="task to train (default: %(default)s)"
    )
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, default="torch", help="framework to train with (default: %(default)s)"
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number > 0")
    return rate


def _optimizers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in OPTIMIZERS:
            raise argparse.ArgumentTypeError(f"unknown optimizer {name!r} (choose from {', '.join(OPTIMIZERS)})")
    return names


def _run(options: argparse.Namespace) -> int:
    record = train(
        get_task(options.task),
        options.framework,
        options.optimizer,
        options.learning_rate,
        options.steps,
        _progress(f"{options.task} {options.framework} {options.optimizer}"),
    )
    _report_end(record)
    if options.output is None:
        print(json.dumps(record, indent=1))
    else:
        write_json(options.output, record)
        print(f"wrote {options.output}", file=sys.stderr)
    return 0


def _search(options: argparse.Namespace) -> int:
    task = get_task(options.task)

    def run_trial(optimizer: str, rate: float) -> dict[str, Any]:
        name = f"{task.name} {options.framework} {optimizer} {rate:g}"
        record = train(task, options.framework, optimizer, rate, progress=_progress(name))
        _report_end(record)
        return record

    result = search(task, options.framework, options.optimizers, options.output, run_trial)
    path = options.output / "search.json"
    write_json(path, result)
    for optimizer, rate in result["bestLearningRate"].items():
        print(f"{optimizer}: {rate:g}")
    print(f"wrote {path}", file=sys.stderr)
    return 0


def _progress(name: str) -> Callable[[int, int, float], None]:
    """A line on stderr that is rewritten on a terminal, and written ten times in a log file."""
    begin = time.monotonic()
    terminal = sys.stderr.isatty()

    def show(step: int, steps: int, loss: float) -> None:
        if not terminal and step % max(1, steps // 10) and step != steps:
            return
        left = (time.monotonic() - begin) / step * (steps - step)
        line = f"{name}: step {step}/{steps}, loss {loss:.4f}, {left:.0f} s left"
        print(f"\r\x1b[K{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    return show


def _report_end(record: dict[str, Any]) -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if record["divergedAtStep"] is not None:
        print(f"diverged at step {record['divergedAtStep']}: the loss is not finite", file=sys.stderr)
    for point in record["validation"]:
        print(f"validation loss at {point['budgetPercent']} %: {point['loss']:.4f}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
