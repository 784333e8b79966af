"""The command line: `python -m reports`."""

import argparse
import importlib
import os
import shlex
import sys
from pathlib import Path

from reports.arguments import add_paths
from reports.page import render
from reports.results import Results
from reports.sources.error import SourceError
from reports.sources.read import read
from reports.sources.repository import add_arguments, as_arguments, from_arguments

DESCRIPTION = """\
Makes one self-contained HTML report of everything that was measured and tested.

It reads every result file at or below the paths: asv's folders, comparisons, step times, the power experiment,
conformance results and what two implementations of one optimizer made of the same inputs. The page opens from disk
without a network and can be sent or published as it is."""

FIRST = "Make some with tox run -e bench, python -m bench compare, python -m bench track or python -m suite run."

EXAMPLES = f"""\
  python -m reports                                 everything below results/, into results/report.html
  python -m reports bench/results --output r.html   the results that this repository keeps
  python -m reports diff --help                     two commits side by side, here or in CI
  python -m reports field --help                    every optimizer in every framework as a Markdown table
  python -m reports serve --help                    the latest report while results arrive

A folder of the name of a command is ./diff, ./field or ./serve.
No results yet? {FIRST}"""

COMMANDS = ("diff", "field", "serve")
"""Modules of this package with a `main` of their own."""


def main(arguments: list[str] | None = None) -> int:
    """Makes the report; returns 0, or 1 with one line on stderr where there is nothing to read or no place to write."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        return importlib.import_module(f"reports.{arguments[0]}").main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_paths(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results/report.html"),
        metavar="FILE",
        help="the report; replaced only once the new one is complete (default: %(default)s)",
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    command = ["python", "-m", "reports", *map(str, options.paths)]
    if options.output != parser.get_default("output"):
        command += ["--output", str(options.output)]
    command += as_arguments(options)
    if options.output.is_dir():
        parser.error(f"argument --output: {str(options.output)!r} is a folder; name a file in it")
    try:
        results = read(options.paths, from_arguments(options))
        if results == Results():
            raise SourceError(f"{shlex.join(map(str, options.paths))}: no result files. {FIRST}")
        write(options.output, render(results, shlex.join(command)))
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        said = error.strerror or error
        print(f"error: cannot write {options.output}: {said}. Name another file with --output.", file=sys.stderr)
        return 1
    if results.unread:
        what = "1 result" if len(results.unread) == 1 else f"{len(results.unread)} results"
        print(f"{what} could not be read in whole; the report says which, and why", file=sys.stderr)
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
