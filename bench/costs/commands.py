"""The command ``python -m bench costs``."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from bench.arguments import names as read_names
from bench.arguments import whole_number
from bench.costs.run import LIMIT, Costs, fill, in_process, load, table
from bench.names import COMPARED, FRAMEWORKS, check_name
from bench.tasks import TASKS, get_task

_SECONDS = 5.0

_EPILOG = """\
what is measured:
  State: the bytes of all arrays that the optimizer keeps from step to step, in float32, per parameter of the model.
  Time: the optimizer's step alone, beside the framework's own AdamW, in turn in one process on the same fresh
  gradients; two rounds first that do not count. The figure is the median of the quotients of two rounds each, with
  quartiles. Where every so-many-th step is an expensive one (new projections of GaLore and Conda, Sophia's curvature),
  rounds go on for five such periods, and each quotient is of a whole period; the table says of how many steps. The
  backward pass that estimates Sophia's curvature is no part of it. AdamW beside itself shows the noise.
  1-bit Adam is measured by itself, after its variance was frozen: what it would send is compressed, and not sent.

the file:
  Each optimizer is measured in a process of its own and written at once, so that an interrupted run resumes where it
  stopped, and one that crashes costs only itself. Those without figures are there with the reason, and tried again by
  the next run.

examples:
  python -m bench costs                                        every optimizer in PyTorch: some minutes
  python -m bench costs --framework jax --optimizers adamw,alphaadam,muon
  python -m bench costs --framework keras --again --threads 1
  python -m bench costs --task gpt2-small --optimizers galore,ldadam
  python -m bench costs --table bench/results/costs-torch.json
"""


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "costs",
        help="measure what each optimizer keeps, and its step's time beside AdamW's",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure every optimizer that is compared on the tensors of a task's model, in one framework: the\n"
        "bytes that it keeps, and the time of its step as a multiple of that of the framework's own AdamW. Prints a\n"
        "Markdown table.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, default="torch", help="framework to measure (default: %(default)s)"
    )
    parser.add_argument(
        "--optimizers",
        type=read_names("optimizer", lambda name: check_name("optimizer", name, COMPARED)),
        default=COMPARED,
        metavar="A,B",
        help=f"optimizers out of {', '.join(COMPARED)} (default: all)",
    )
    parser.add_argument(
        "--task", choices=tuple(TASKS), default="gpt2-nano", help="whose model's tensors (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=_SECONDS,
        metavar="S",
        help="how long an optimizer's rounds go on, where all its steps are alike (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=whole_number, metavar="N", help="threads on the CPU (default: as the framework chooses)"
    )
    parser.add_argument("--again", action="store_true", help="measure what is in the file already, too")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file (default: results/costs-FRAMEWORK.json, of other tasks than gpt2-nano with their name)",
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="print the table of a file and measure nothing")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LIMIT / 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {LIMIT / 2:g}")
    return value


def _run(options: argparse.Namespace) -> int:
    if options.table:
        print(table(load(options.table)), end="")
        return 0
    name = f"costs-{options.framework}" + ("" if options.task == "gpt2-nano" else f"-{options.task}")
    path = options.output or Path("results", f"{name}.json")
    costs = Costs(path, options.framework, get_task(options.task))

    def measure(optimizer: str) -> dict[str, Any]:
        return in_process(options.framework, optimizer, options.task, options.seconds, options.threads)

    missing = fill(costs, options.optimizers, measure, options.again)
    print(table(costs.content), end="")
    print(f"{path} has all that was measured", file=sys.stderr)
    if missing:
        print(f"python -m bench costs: no figures of {', '.join(missing)}; the file says why", file=sys.stderr)
    return 1 if missing else 0
