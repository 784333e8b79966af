"""The command ``python -m bench merge``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.track.merge import merge


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "merge",
        help="merge asv results that were measured elsewhere",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Merge folders of asv's results, carried here as files, into one. Of two values for the same\n"
        "machine, commit, environment and benchmark the one that was measured later stays; a failure never\n"
        "replaces a value. All files are read and checked before one is written, and merging again changes\n"
        "nothing.",
        epilog="""examples:
  python -m bench merge /media/usb/results/asv              everything that was measured there
  python -m bench merge gpu-box/results/asv/node17 --as h200
                                                            one machine, under a name that says what it is
  python -m bench merge a/results/asv b/results/asv --into results/asv --dry-run
""",
    )
    parser.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="asv's results folder, or the folder of one machine in it",
    )
    parser.add_argument(
        "--into", type=Path, default=Path("results/asv"), metavar="FOLDER", help="merge into it (default: %(default)s)"
    )
    parser.add_argument("--as", dest="rename", metavar="NAME", help="give the machine another name")
    parser.add_argument("--dry-run", action="store_true", help="say what would change and write nothing")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for line in merge(options.folders, options.into, options.rename, options.dry_run) or ["nothing is new"]:
        print(line)
    if options.dry_run:
        print("nothing was written: this is a dry run", file=sys.stderr)
    return 0
