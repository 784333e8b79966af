"""What several commands of the reports ask for on the command line."""

import argparse
from pathlib import Path


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Adds the paths that results are read from."""
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        default=[Path("results")],
        metavar="PATH",
        help="result files, or folders that hold them (default: results)",
    )
