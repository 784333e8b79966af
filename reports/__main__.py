"""The command line: `python -m reports`."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from reports.page import render
from reports.sources import ASV_COMMAND, CONFORMANCE_COMMAND, SourceError, load_asv, load_conformance

DESCRIPTION = """\
Makes one self-contained HTML report of what asv and the conformance suite measured.

The file opens from disk without a network and can be sent or published as it is.
It shows the newest commit on the machine with the newest results."""

EXAMPLES = f"""\
To make the results first:
  {ASV_COMMAND}
  {CONFORMANCE_COMMAND}

Then:
  python -m reports
  python -m reports --asv elsewhere/results/asv --output /tmp/report.html"""


def main(arguments: list[str] | None = None) -> int:
    """Makes the report; returns 0, or 1 with one line on stderr where a result file is missing or broken."""
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--asv",
        type=Path,
        default=Path("results/asv"),
        metavar="FOLDER",
        help="asv's results folder: benchmarks.json and one folder per machine (default: %(default)s)",
    )
    parser.add_argument(
        "--conformance",
        type=Path,
        default=Path("results/conformance.json"),
        metavar="FILE",
        help="results of `python -m suite run` (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results/report.html"),
        metavar="FILE",
        help="the report; replaced only once the new one is complete (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    command = ["python", "-m", "reports"]
    for name in ("asv", "conformance", "output"):
        if getattr(options, name) != parser.get_default(name):
            command += [f"--{name}", str(getattr(options, name))]
    try:
        results, conformance = load_asv(options.asv), load_conformance(options.conformance)
        write(options.output, render(results, conformance, command, datetime.now(UTC)))
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: cannot write the report: {error}. Name another file with --output.", file=sys.stderr)
        return 1
    print(options.output.resolve())
    return 0


def write(path: Path, text: str) -> None:
    """Writes a file completely or not at all: what was there before stays until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
