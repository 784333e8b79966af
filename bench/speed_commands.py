"""The commands ``python -m bench speed`` and ``python -m bench scaling``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.names import check_name, load_speed_module
from bench.paired import shapes_of
from bench.speed import (
    DEVICES,
    DTYPES,
    RESULTS,
    SCALING,
    SPEED,
    VARIANTS,
    Plan,
    Results,
    cells_of,
    load,
    measure_cells,
)
from bench.speed_tables import render

_VARIANTS = """\
variants (VARIANT of --variants):
  *-fused    fused=True: CUDA and CPU kernels, for AlphaAdam on a CPU compiled by Numba (pip install "alphaadam[numba]")
  *-foreach  foreach=True: each operation over all tensors at once
  *-loop     foreach=False, fused=False: tensor by tensor
  *-compile  torch.compile of the foreach step; only where it is named, since compiling takes minutes
adamw-fused beside itself shows the noise: its ratio should be 1.
"""
_FILES = """\
Each finished cell is written at once to torch-{kind}-DEVICE.json in the output folder and is not measured again by a
later run, so an interrupted run resumes where it stopped. What cannot be measured here is a row with its reason.
"""


def add_commands(commands: Any) -> None:
    """Adds both to the subparsers of ``python -m bench``."""
    speed = commands.add_parser(
        "speed",
        help="time the PyTorch step beside torch.optim.AdamW(fused=True)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time one step of AlphaAdam's variants beside torch.optim.AdamW(fused=True) on the same tensors,\n"
        "in turn in one process, and print a Markdown table: ratios with quartiles, milliseconds, bytes per\n"
        "second, and memory.\n\n" + _FILES.format(kind="speed"),
        epilog=_VARIANTS
        + """
examples:
  python -m bench speed                                     the whole table; about half an hour on a small CPU
  python -m bench speed --devices cpu --shapes gpt2-small --dtypes float32 --variants alphaadam-fused
  python -m bench speed --shapes 100x1000                   100 tensors of 1000 elements
  python -m bench speed --variants alphaadam-compile        add a variant to the files
  python -m bench speed --table bench/results/*.json        print tables of files, measure nothing
""",
    )
    _add_options(speed, SPEED)

    scaling = commands.add_parser(
        "scaling",
        help="time the PyTorch step from 1 to 10,000 tensors, from 1e3 to 1e8 parameters",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time one step of AlphaAdam's variants, alone and beside torch.optim.AdamW(fused=True), so that\n"
        "launch overhead and bandwidth are seen apart: 1 to 10,000 tensors of 1000 elements, 1e7 elements in 1 to\n"
        "10,000 tensors, and one tensor of 1e3 to 1e8 elements (1e9 on CUDA). Prints microseconds per step and per\n"
        "tensor, bytes per second at the largest tensor, and all times as Markdown tables.\n\n"
        + _FILES.format(kind="scaling"),
        epilog=_VARIANTS
        + """
examples:
  python -m bench scaling
  python -m bench scaling --devices cuda --variants alphaadam-fused,adamw-fused --dtypes float32,bfloat16
  python -m bench scaling --table bench/results/torch-scaling-*.json
""",
    )
    _add_options(scaling, SCALING)


def _add_options(parser: argparse.ArgumentParser, plan: Plan) -> None:
    def names(kind: str, valid: Iterable[str], default: tuple[str, ...] | None, words: str | None = None) -> None:
        parser.add_argument(
            f"--{kind}s",
            type=_names(kind, lambda name: check_name(kind, name, valid)),
            default=default,
            metavar=f"{kind.upper()},…",
            help=f"{kind}s out of {', '.join(valid)} (default: {words or ','.join(default or ())})",
        )

    names("device", DEVICES, None, "cpu, and cuda where there is one")
    parser.add_argument(
        "--shapes",
        type=_names("shapes", lambda name: (shapes_of(name), name)[1]),
        default=plan.shapes,
        metavar="SHAPES,…",
        help="tensors: a model (gpt2-nano, gpt2-small, gpt2-medium, gpt2-large) or NxM, N tensors of M elements"
        f" (default: {','.join(plan.shapes) if plan is SPEED else 'those named above'})",
    )
    names("dtype", DTYPES, plan.dtypes)
    names("variant", VARIANTS, plan.variants)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=plan.seconds,
        help="how long the rounds of a cell go on; at least 5 rounds are made (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=_threads, help="threads of PyTorch on the CPU (default: PyTorch's own choice); recorded"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, metavar="FOLDER", help="folder of the files (default: bench/results)"
    )
    parser.add_argument(
        "--again",
        nargs="?",
        const="all",
        choices=("all", "disturbed"),
        help="measure cells that are in the files already, too: all, or those that other processes disturbed (†)",
    )
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="FILE", help="print the tables of these files and measure nothing"
    )
    parser.set_defaults(run=lambda options: _run(options, plan))


def _names(kind: str, check: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(check(name) for name in text.split(",")))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    parse.__name__ = kind
    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number >= 0")
    return seconds


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number > 0")
    return int(text)


def _run(options: argparse.Namespace, plan: Plan) -> int:
    if options.table:
        print(render([load(path) for path in options.table]), end="")
        return 0
    module = load_speed_module()
    if options.threads is not None:
        module.set_threads(options.threads)
    files = []
    for device in options.devices or module.devices():
        results = Results(options.output / f"torch-{plan.kind}-{device}.json", plan.kind)
        measure_cells(
            cells_of([device], options.dtypes, options.shapes, options.variants),
            results,
            lambda cell: module.measure(cell, options.seconds, plan.transient),
            module.environment(device),
            options.again,
        )
        files.append(results)
    print(render([results.content for results in files]), end="")
    for results in files:
        print(f"wrote {results.path}", file=sys.stderr)
    return 0
