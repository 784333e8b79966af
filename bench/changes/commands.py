"""The commands ``python -m bench changes`` and ``python -m bench power``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.arguments import names
from bench.changes import power, power_asv
from bench.changes.comparison import LAUNCHES, SHAPES, cases_of, compare, findings, render
from bench.changes.processes import PASSES, cores
from bench.changes.verdicts import FEWEST_LAUNCHES, LEVEL, SLOWER, SMALLEST
from bench.changes.versions import version
from bench.names import FRAMEWORKS, OPTIMIZERS, check_name
from bench.paired import shapes_of
from bench.records import read_json, write_text
from bench.speed.cells import RESULTS
from bench.speed.plans import FRAMEWORKS as PLANS

FOLDER = Path("results/changes")
POWER_FOLDER = Path("results/power")


def add_commands(commands: Any) -> None:
    """Adds both to the subparsers of ``python -m bench``."""
    changes = commands.add_parser(
        "changes",
        help="which optimizer steps have become slower or faster between two commits",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time the optimizer's step of two commits against one another and say which have changed.\n\n"
        "A launch starts both versions in a process each, on one core, and lets them take turns every few\n"
        "milliseconds, so that what disturbs the machine disturbs both. Several launches are made, one on each\n"
        f"core at a time. A change is reported where an exact test over the launches has p <= {LEVEL} and the step\n"
        f"differs by {SMALLEST:.0%} or more: docs/tracking.md shows how often that is wrong. Needs the frameworks,\n"
        "but no network: the package is pure Python, and is taken from git. Every launch is kept at once; the same\n"
        "command again goes on where it stopped.",
        epilog="""examples:
  python -m bench changes main                       the working tree, with what is not committed, against main
  python -m bench changes HEAD~1 HEAD --frameworks torch
  python -m bench changes v0.1.0 HEAD --launches 24 --passes 4       more precise
  python -m bench changes main --exit-code           exit code 3 if something has become slower, for CI
""",
    )
    changes.add_argument("base", metavar="BASE", help="commit to compare with")
    changes.add_argument("head", metavar="HEAD", nargs="?", help="commit to compare (default: the working tree)")
    changes.add_argument(
        "--frameworks",
        type=names("framework", lambda name: check_name("framework", name, FRAMEWORKS)),
        metavar="FRAMEWORK,…",
        help=f"frameworks out of {', '.join(FRAMEWORKS)} (default: all that are installed)",
    )
    changes.add_argument(
        "--optimizers",
        type=names("optimizer", lambda name: check_name("optimizer", name, OPTIMIZERS)),
        default=OPTIMIZERS,
        metavar="OPTIMIZER,…",
        help=f"default: {','.join(OPTIMIZERS)}; adamw, the framework's own, shows the noise",
    )
    changes.add_argument(
        "--shapes",
        type=names("shapes", lambda name: (shapes_of(name), name)[1]),
        metavar="SHAPES,…",
        help="tensors: a model (gpt2-nano, gpt2-small, …) or NxM, N tensors of M elements (default:"
        f" {'; '.join(name + ': ' + ','.join(shapes) for name, shapes in SHAPES.items())})",
    )
    _add_effort(changes, LAUNCHES)
    changes.add_argument(
        "--smallest",
        type=_fraction,
        default=SMALLEST,
        metavar="FRACTION",
        help="smallest relative change to report (default: %(default)s)",
    )
    changes.add_argument(
        "--output", type=Path, metavar="FILE", help=f"file of the launches (default: in {FOLDER}, named after both)"
    )
    changes.add_argument("--exit-code", action="store_true", help="exit with 3 if something has become slower")
    changes.set_defaults(run=_changes)

    experiment = commands.add_parser(
        "power",
        help="measure how often `changes` is wrong, and asv continuous beside it",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compare commits whose difference is known: some that differ in nothing, and some whose PyTorch\n"
        "kernels for CPUs were made 10 % slower. Prints how often a change was reported, with exact binomial\n"
        "intervals. Each comparison is kept when it is done; the same command again goes on where it stopped.",
        epilog="""examples:
  python -m bench power                              about an hour on two cores
  python -m bench power --null 2 --planted 1         a taste
  python -m bench power --asv-null 15 --asv-planted 4      asv continuous, too: it makes an environment of its own
  python -m bench power --table bench/results/power-cpu.json
""",
    )
    for option, number, words in (
        ("null", 26, "comparisons of commits that differ in nothing"),
        ("planted", 10, "comparisons with a planted slowdown"),
        ("asv-null", 0, "the same with asv continuous"),
        ("asv-planted", 0, "the same with asv continuous"),
    ):
        experiment.add_argument(
            f"--{option}", type=_count, default=number, metavar="N", help=f"{words} (default: %(default)s)"
        )
    experiment.add_argument(
        "--output",
        type=Path,
        default=RESULTS / "power-cpu.json",
        metavar="FILE",
        help="file of the experiment (default: bench/results/power-cpu.json)",
    )
    experiment.add_argument("--table", type=Path, metavar="FILE", help="print the table of this file, measure nothing")
    experiment.set_defaults(run=_power)


def _add_effort(parser: argparse.ArgumentParser, launches: int) -> None:
    parser.add_argument(
        "--launches",
        type=_count,
        default=launches,
        metavar="N",
        help=f"pairs of processes for each framework, {FEWEST_LAUNCHES} at least (default: %(default)s)",
    )
    parser.add_argument(
        "--passes",
        type=_count,
        default=PASSES,
        metavar="N",
        help="how often each launch builds and times a case (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs", type=_count, metavar="N", help=f"launches at a time (default: one on each core, here {len(cores())})"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 0")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction from 0 to 1, such as 0.05 for 5 %")
    return value


def _changes(options: argparse.Namespace) -> int:
    for name in ("launches", "passes", "jobs"):
        fewest = FEWEST_LAUNCHES if name == "launches" else 1
        if (given := getattr(options, name)) is not None and given < fewest:
            raise ValueError(f"--{name} {given} is too few: {fewest} at least")
    frameworks = options.frameworks or tuple(_installed())
    if not frameworks:
        raise RuntimeError("no framework is installed; run `python -m pip install -c constraints.txt '.[torch,bench]'`")
    code = _work_folder(FOLDER) / "code"
    base, head = version(options.base, code), version(options.head, code)
    path = options.output or FOLDER / f"{base.digest}-{head.digest}-{'-'.join(frameworks)}.json"
    content = compare(
        base,
        head,
        cases_of(frameworks, options.optimizers, options.shapes),
        path,
        launches=options.launches,
        passes=options.passes,
        jobs=options.jobs,
        progress=_progress(),
    )
    print(render(content, options.smallest), end="")
    print(f"wrote {path}", file=sys.stderr)
    rows = findings(content, options.smallest)
    for row in rows:
        if "missing" in row:
            print(f"{row['framework']} {row['optimizer']} {row['shapes']}: {row['missing']}", file=sys.stderr)
    if any("missing" in row for row in rows):
        return 1
    return 3 if options.exit_code and any(row["word"] == SLOWER for row in rows) else 0


def _work_folder(folder: Path) -> Path:
    """A folder of code and unfinished launches, marked as such: neither backups nor reports look into it."""
    tag = "Signature: 8a477f597d28d172789f06886806bc55\n# Work files of python -m bench. See https://bford.info/cachedir/\n"
    write_text(folder / "CACHEDIR.TAG", tag)
    return folder


def _installed() -> list[str]:
    """Frameworks that can be measured here."""
    plans = {"torch": "torch", "jax": "optax", "keras": "keras-jax"}
    return [name for name in FRAMEWORKS if not PLANS[plans[name]].missing()]


def _progress() -> Callable[[int, int], None]:
    begin = time.monotonic()
    first: list[int] = []

    def show(done: int, of: int) -> None:
        first.append(done)
        left = ""
        if done > first[0]:
            left = f", {(time.monotonic() - begin) / (done - first[0]) * (of - done):.0f} s left"
        print(f"launch {done}/{of}{left}", file=sys.stderr, flush=True)

    return show


def _power(options: argparse.Namespace) -> int:
    if options.table:
        print(power.render(read_json(options.table)), end="")
        return 0

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder = _work_folder(POWER_FOLDER).resolve()
    for kind in power.KINDS:
        power.experiment(kind, getattr(options, kind), options.output, folder, progress=say)
        comparisons = getattr(options, f"asv_{kind}")
        power_asv.experiment(kind, comparisons, options.output, folder / "asv", progress=say)
    print(power.render(power.load(options.output)), end="")
    print(f"wrote {options.output}", file=sys.stderr)
    return 0
