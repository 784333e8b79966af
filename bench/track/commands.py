"""The command ``python -m bench track``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import git
from bench.track.checks import check_clean, warn_of_load
from bench.track.measure import QUICK, Request, track
from bench.track.runs import read_configuration


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "track",
        help="measure commits with asv, as a careful person would",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure commits with airspeed velocity: describe this machine to asv if it does not know it,\n"
        "check that the tree is clean and the machine idle, and run asv with the right flags, one environment\n"
        "and one class of benchmarks after the other. Each part is kept when it is done: an interrupted run,\n"
        "killed even, resumes where it stopped, and what fails leaves everything else as it is. What is missing\n"
        "is said at the end, with its reason, and kept in results/asv/MACHINE/problems.jsonl for the report.\n"
        "The results are asv's own: asv publish, asv show and asv compare work on them.",
        epilog="""examples:
  python -m bench track                             this commit, every framework
  python -m bench track --quick --frameworks torch  the quicker benchmarks of one framework
  python -m bench track v0.1.0..HEAD --steps 5      five commits, spread over a range
  python -m bench track --last 10 --bench '^throughput.OptimizerStep'
  python -m bench track --existing --machine h200   in the environment of this interpreter, without a network; then
                                                    carry results/asv home and `python -m bench merge` it there
  asv publish && asv preview                        look at the results
BENCH_DEVICE=cpu or BENCH_DEVICE=cuda names the device; without it a GPU is taken where the framework finds one.
""",
    )
    parser.add_argument(
        "commits", nargs="*", metavar="COMMIT", help="commits or ranges such as v0.1.0..HEAD (default: HEAD)"
    )
    parser.add_argument("--last", type=_number, metavar="N", help="the last N commits instead")
    parser.add_argument("--steps", type=_number, metavar="N", help="at most N of the commits, spread evenly")
    parser.add_argument(
        "--frameworks",
        type=lambda text: tuple(text.split(",")),
        metavar="A,B",
        help="environments of asv.conf.json, by framework (default: all; with --existing all that are installed)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--bench", action="append", default=[], metavar="REGEX", help="only benchmarks that it finds, as in asv run"
    )
    which.add_argument("--quick", action="store_true", help=f"only the quicker ones: --bench {' --bench '.join(QUICK)}")
    parser.add_argument(
        "--existing", action="store_true", help="measure in the environment of this interpreter and install nothing"
    )
    parser.add_argument("--machine", metavar="NAME", help="name of this machine in the results (default: its own)")
    parser.add_argument("--allow-dirty", action="store_true", help="measure although changes are not committed")
    parser.set_defaults(run=_run)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number > 0")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    root = Path.cwd()
    configuration = read_configuration(root / "asv.conf.json")
    if options.last and options.commits:
        raise ValueError(f"--last {options.last} and {' '.join(options.commits)}: give one of both")
    if not options.allow_dirty:
        check_clean(root, configuration["benchmark_dir"])
    commits = git.commits(root, options.commits, options.last)
    warn_of_load()
    problems = track(
        Request(
            root,
            spread(commits, options.steps or len(commits)),
            QUICK if options.quick else options.bench,
            options.frameworks,
            options.existing,
            options.machine,
        )
    )
    for problem in problems:
        what = problem.benchmark + (f"({'; '.join(problem.parameters)})" if problem.parameters else "")
        print(
            f"missing: {problem.environment} {problem.commit[:8]} {what or 'everything'}: {problem.reason}",
            file=sys.stderr,
        )
    if problems:
        print("everything else is kept; run the same command to try these again", file=sys.stderr)
    return 1 if problems else 0


def spread(commits: Sequence[str], number: int) -> list[str]:
    """Some of the commits, evenly spread, the last one among them; with two or more the first one, too."""
    if number >= len(commits):
        return list(commits)
    if number == 1:
        return [commits[-1]]
    return [commits[round(place * (len(commits) - 1) / (number - 1))] for place in range(number)]
