"""The command ``python -m bench run``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.names import COMPARED
from bench.records import write_json
from bench.tasks import get_task
from bench.training import train
from bench.trial_options import add_trial_options, data_of, execution_of, rate


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "run",
        help="train a task once",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a task once, with progress on stderr, and print or write its record as JSON.",
        epilog="""\
examples:
  python -m bench run --framework torch --optimizer alphaadam --output record.json
  python -m bench run --optimizer lion --learning-rate 5e-4 --seed 1
  torchrun --nproc-per-node 4 -m bench run --task gpt2-small --data owt --device cuda --parallel ddp --micro-batches 3
Under torchrun the first process alone prints and writes.
""",
    )
    add_trial_options(parser)
    parser.add_argument(
        "--optimizer", choices=COMPARED, default="alphaadam", help="optimizer to train with (default: %(default)s)"
    )
    parser.add_argument(
        "--learning-rate",
        type=rate,
        metavar="RATE",
        help="peak learning rate (default: the one tuned for the optimizer)",
    )
    parser.add_argument("--seed", type=int, help="seed of initial weights and batch order (default: the task's)")
    parser.add_argument(
        "--steps", type=int, help="stop after so many steps of the schedule (default: the whole budget)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the record here (default: print it)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    first = os.environ.get("RANK", "0") == "0"  # torchrun numbers its processes
    record = train(
        get_task(options.task),
        options.framework,
        options.optimizer,
        options.learning_rate,
        options.steps,
        _progress(f"{options.task} {options.framework} {options.optimizer}") if first else lambda *of_step: None,
        seed=options.seed,
        data=data_of(options),
        execution=execution_of(options),
    )
    if not first:
        return 0
    _report_end(record)
    if options.output is None:
        print(json.dumps(record, indent=1))
    else:
        write_json(options.output, record)
        print(f"wrote {options.output}", file=sys.stderr)
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
