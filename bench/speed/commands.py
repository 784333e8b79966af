"""The commands ``python -m bench speed`` and ``python -m bench scaling``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.arguments import names as read_names
from bench.arguments import whole_number
from bench.names import check_name
from bench.paired import MIN_ROUNDS, shapes_of
from bench.speed.cells import RESULTS, load
from bench.speed.plans import DEVICES, DTYPES, FRAMEWORKS, Framework
from bench.speed.runs import Request, measure_framework, measure_frameworks
from bench.speed.tables import render

_FILES = """\
Each finished cell is written at once to FRAMEWORK-{kind}-DEVICE.json in the output folder and is not measured again
by a later run, so an interrupted run resumes where it stopped. What cannot be measured here is a row with its reason.
"""


def add_commands(commands: Any) -> None:
    """Adds both to the subparsers of ``python -m bench``."""
    speed = commands.add_parser(
        "speed",
        help="time the optimizer's step beside AdamW's in PyTorch, Optax and Keras",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time one step of AlphaAdam's variants beside the framework's AdamW on the same tensors, in turn\n"
        "in one process, and print Markdown tables: ratios with quartiles, milliseconds, bytes per second, memory,\n"
        "and what XLA made of the steps that it compiled. Several frameworks are measured in a process each.\n\n"
        + _FILES.format(kind="speed"),
        epilog=_variants("speed")
        + """
examples:
  python -m bench speed                                     every framework that is installed: about three quarters of
                                                            an hour on a small CPU, most of it PyTorch's larger models
  python -m bench speed --frameworks optax,keras-jax        some of them
  python -m bench speed --frameworks torch --devices cpu --shapes gpt2-small --dtypes float32 --variants alphaadam-fused
  python -m bench speed --frameworks optax --shapes 100x1000          100 tensors of 1000 elements
  python -m bench speed --frameworks torch --variants alphaadam-compile   add a variant to the file
  python -m bench speed --table bench/results/*.json        print tables of files, measure nothing
""",
    )
    _add_options(speed, "speed")

    scaling = commands.add_parser(
        "scaling",
        help="time the PyTorch step from 1 to 10,000 tensors, from 1e3 to 1e8 parameters",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time one step of AlphaAdam's variants, alone and beside torch.optim.AdamW(fused=True), so that\n"
        "launch overhead and bandwidth are seen apart: 1 to 10,000 tensors of 1000 elements, 1e7 elements in 1 to\n"
        "10,000 tensors, and one tensor of 1e3 to 1e8 elements (1e9 on CUDA). Prints microseconds per step and per\n"
        "tensor, bytes per second at the largest tensor, and all times as Markdown tables.\n\n"
        + _FILES.format(kind="scaling"),
        epilog=_variants("scaling")
        + """
examples:
  python -m bench scaling
  python -m bench scaling --devices cuda --variants alphaadam-fused,adamw-fused --dtypes float32,bfloat16
  python -m bench scaling --table bench/results/torch-scaling-*.json
""",
    )
    _add_options(scaling, "scaling")


def _variants(kind: str) -> str:
    lines = ["variants (VARIANT of --variants), beside AdamW in the same form, or in PyTorch beside adamw-fused:"]
    for framework in _frameworks(kind).values():
        lines.append(f"  {framework.name}: {', '.join(framework.variants)}")
        lines += [f"    *-{name:<9}{form.words}" for name, form in framework.forms.items()]
        lines += [f"    {framework.about}"] if framework.about else []
    return "\n".join([*lines, "AdamW beside itself shows the noise: its ratio should be 1.", ""])


def _frameworks(kind: str) -> dict[str, Framework]:
    return {name: framework for name, framework in FRAMEWORKS.items() if kind in framework.plans}


def _add_options(parser: argparse.ArgumentParser, kind: str) -> None:
    frameworks = _frameworks(kind)

    def names(option: str, valid: Iterable[str] | None, words: str, check: Callable[[str], str] | None = None) -> None:
        parser.add_argument(
            f"--{option}{'' if option == 'shapes' else 's'}",
            type=read_names(option, check or (lambda name: check_name(option, name, valid or ()))),
            metavar=f"{option.upper()},…",
            help=words if valid is None else f"{option}s out of {', '.join(valid)} (default: {words})",
        )

    def plans(of: Callable[[Any], Sequence[str]]) -> str:
        """What the plans say, framework by framework where they differ."""
        said: dict[str, list[str]] = {}
        for name, framework in frameworks.items():
            said.setdefault(",".join(of(framework.plans[kind])), []).append(name)
        if len(said) == 1:
            return next(iter(said))
        return "; ".join(f"{', '.join(who)}: {what}" for what, who in said.items())

    if len(frameworks) > 1:
        names("framework", frameworks, "all that are installed")
    names("device", DEVICES, "cpu, and cuda where there is one")
    names(
        "shapes",
        None,
        "tensors: a model (gpt2-nano, gpt2-small, gpt2-medium, gpt2-large) or NxM, N tensors of M elements"
        f" (default: {plans(lambda plan: plan.shapes) if kind == 'speed' else 'those named above'})",
        lambda name: (shapes_of(name), name)[1],
    )
    names("dtype", DTYPES, plans(lambda plan: plan.dtypes))
    names("variant", None, "variants, named below (default: all but those that are measured only where named)", str)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        help=f"how long the rounds of a cell go on; at least {MIN_ROUNDS} rounds are made (default:"
        f" {next(iter(frameworks.values())).plans[kind].seconds})",
    )
    parser.add_argument(
        "--threads",
        type=whole_number,
        help="threads on the CPU (default: the framework's own choice); recorded",
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
    parser.set_defaults(run=lambda options: _run(options, kind, parser))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number >= 0")
    return seconds


def _run(options: argparse.Namespace, kind: str, parser: argparse.ArgumentParser) -> int:
    if options.table:
        print(render([load(path) for path in options.table]), end="")
        return 0
    request = Request(
        kind,
        options.output,
        options.devices,
        options.shapes,
        options.dtypes,
        options.variants,
        options.seconds,
        options.threads,
        options.again,
    )
    try:
        chosen = _chosen(getattr(options, "frameworks", None), kind, options.variants)
    except ValueError as wrong:
        parser.error(str(wrong))
    if not chosen:
        raise RuntimeError("no framework is installed; run `python -m pip install -c constraints.txt '.[torch,bench]'`")
    errors: list[str] = []
    if len(chosen) == 1:
        paths = measure_framework(chosen[0], request)
    else:
        paths, errors = measure_frameworks(chosen, request)
    print(render([load(path) for path in paths if path.exists()]), end="")
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)
    for error in errors:
        print(f"python -m bench {kind}: {error}", file=sys.stderr)
    return 1 if errors else 0


def _chosen(named: tuple[str, ...] | None, kind: str, variants: tuple[str, ...] | None) -> list[str]:
    """The frameworks to measure: those that are named, or those that are installed and have one of the variants.

    Raises:
        ValueError: No framework has a variant, or a named framework has none of them.
    """
    frameworks = _frameworks(kind)
    known = [frameworks[name] for name in named or frameworks]
    valid = "; ".join(f"{framework.name}: {', '.join(framework.variants)}" for framework in known)
    valid = valid if len(known) > 1 else ", ".join(known[0].variants)
    for variant in variants or ():
        if not any(variant in framework.variants for framework in known):
            raise ValueError(f"unknown variant {variant!r}; choose one of: {valid}")
    able = [framework for framework in known if not variants or set(variants) & set(framework.variants)]
    if named and len(able) < len(known):
        without = next(framework for framework in known if framework not in able)
        raise ValueError(
            f"{without.name} has none of the variants {', '.join(variants or ())}; choose one of:"
            f" {', '.join(without.variants)}"
        )
    if named or len(able) == 1:
        return [framework.name for framework in able]
    for framework in able:
        if missing := framework.missing():
            print(f"{framework.name} is left out: {missing[0]} is not installed", file=sys.stderr)
    return [framework.name for framework in able if not framework.missing()]
