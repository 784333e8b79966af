"""Options that every command that trains has in common."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from bench.arguments import whole_number
from bench.names import FRAMEWORKS
from bench.tasks import TASKS
from bench.tasks.execution import DEVICES, PARALLEL, Execution


def add_trial_options(parser: argparse.ArgumentParser) -> None:
    """Adds task, framework, data and how a trial is carried out."""
    parser.add_argument(
        "--task", choices=tuple(TASKS), default="gpt2-nano", help="task to train (default: %(default)s)"
    )
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, default="torch", help="framework to train with (default: %(default)s)"
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder with the task's data, for tasks that bring none")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="where to train (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="PyTorch: compile the model (the others always do)")
    parser.add_argument(
        "--micro-batches",
        type=whole_number,
        default=1,
        metavar="N",
        help="cut each batch into N parts, for less memory; their gradients are averaged (default: %(default)s)",
    )
    parser.add_argument(
        "--parallel",
        choices=PARALLEL,
        default="none",
        help="how several devices share a step: ddp and fsdp with PyTorch under torchrun, sharded with JAX"
        " (default: %(default)s)",
    )


def execution_of(options: argparse.Namespace) -> Execution:
    """How a trial is carried out, from the options."""
    return Execution(options.device, options.compile, options.micro_batches, options.parallel)


def data_of(options: argparse.Namespace) -> str | None:
    """The folder of the data, as an absolute path: trials may run elsewhere."""
    return None if options.data is None else str(Path(options.data).absolute())


def rate(text: str) -> float:
    """Reads a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number > 0")
    return value
