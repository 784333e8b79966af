"""`python -m reports diff A B`: what changed between two commits, for the terminal, CI and pull requests."""

import argparse
import math
import re
import shlex
import sys
from pathlib import Path

from reports.charts.commits.comparison import DEVIATIONS, FIRST, MOVED, WORDS, Row, compare
from reports.charts.commits.steps import ENOUGH, THRESHOLD
from reports.charts.commits.words import named, percent, titled, with_unit
from reports.markdown import escaped, printable
from reports.names import framework_label, optimizer_label
from reports.sources.asv_history import Commit, History
from reports.sources.error import SourceError
from reports.sources.read import read
from reports.sources.repository import Repository, add_arguments, from_arguments

DESCRIPTION = f"""\
Compares two commits by asv's results, benchmark by benchmark: first what is worse, what failed at B, what is better.

A benchmark moved if its value differs by the threshold or more, by more than {DEVIATIONS} standard deviations of the
difference of two of its values, and by more than any two neighbouring values on one of its levels differ. Levels and
standard deviation are those of all its values; where fewer than {ENOUGH} values, beyond one for each level, show how
they scatter, the threshold alone decides. Larger is worse; a spread, which says how noisy a measurement was, is not
judged.

One value at each commit is a hint; `python -m bench changes` is the test."""

CODES = """\
exit codes:
  0  nothing got worse
  1  something got worse, or has a value at A and failed at B; what merely was not run at B does not count
  2  the commits could not be compared

examples:
  python -m reports diff HEAD~1 HEAD
  python -m reports diff HEAD~1..HEAD bench/results/asv
  python -m reports diff main 1a2b3c4d bench/results/asv --threshold 10 --markdown"""

UNCHANGED, WORSE, FAILED = 0, 1, 2
JUDGED = (*FIRST, "scatter", "small", "equal")
SHOWN = (*FIRST, "only-a", "only-b")
"""Verdicts that are listed without --all."""


def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; returns one of the exit codes above."""
    parser = argparse.ArgumentParser(
        prog="python -m reports diff",
        usage="%(prog)s [options] A B [PATH ...]",
        description=DESCRIPTION,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="A B [PATH ...]",
        help="two commits, each the beginning of its hash or what git calls it, also as A..B; then paths as for the "
        "report (default: results)",
    )
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    parser.add_argument(
        "--threshold",
        type=_percent,
        default=100 * THRESHOLD,
        metavar="PERCENT",
        help="how much has to change (default: %(default)g)",
    )
    parser.add_argument("--machine", help="compare on this machine alone (default: on each that has both commits)")
    parser.add_argument("--all", action="store_true", help="list what did not move and what is not judged, too")
    add_arguments(parser)
    options = parser.parse_intermixed_args(arguments)
    try:
        a, b, paths = _commits_and_paths(options.words)
        repository = from_arguments(options)
        results = read(paths, repository)
        for unread in results.unread:
            print(printable(f"could not read {unread.path}: {unread.reason}"), file=sys.stderr)
        if not results.histories:
            raise SourceError(
                f"{shlex.join(map(str, paths))}: no results of asv. Name their folder, such as bench/results/asv, "
                "or make some with `python -m bench track`."
            )
        found = _found(results.histories, a, b, options.machine, repository)
    except SourceError as error:
        print("\n".join(map(printable, f"error: {error}".split("\n"))), file=sys.stderr)
        return FAILED
    threshold = options.threshold / 100
    parts = [(*place, compare(*place, threshold)) for place in found]
    judged = [row for *_, rows in parts for row in rows if row.verdict in JUDGED]
    if not judged:
        print(
            "error: nothing that is judged has a value at both commits. Measure both with `python -m bench track`.",
            file=sys.stderr,
        )
        return FAILED
    show = _markdown if options.markdown else _plain
    for history, first, second, rows in parts:
        print("\n".join(show(history, history.commits[first], history.commits[second], rows, options)))
    by_size = sum(row.limit is None and row.verdict in (*MOVED, "small") for row in judged)
    if by_size:
        print(
            f"scatter not known for {by_size} of {len(judged)} rows: fewer than {ENOUGH} values, so size alone "
            "decides; `python -m bench changes` is the test",
            file=sys.stderr,
        )
    return WORSE if any(row.verdict in ("worse", "failed") for row in judged) else UNCHANGED


def _commits_and_paths(words: list[str]) -> tuple[str, str, list[Path]]:
    """Raises SourceError if they name fewer than two commits."""
    first, dots, second = words[0].partition("..")
    if dots:
        commits, paths = [first or "HEAD", second or "HEAD"], words[1:]
    else:
        commits, paths = words[:2], words[2:]
    if len(commits) < 2:
        raise SourceError("Name two commits, as A B or as A..B.")
    return commits[0], commits[1], [Path(path) for path in paths or ["results"]]


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: give a number from 0, such as 10")
    return value


def _found(
    histories: tuple[History, ...], a: str, b: str, machine: str | None, repository: Repository
) -> list[tuple[History, int, int]]:
    """The machines that have both commits, and the commits' numbers there."""
    asked = [history for history in histories if machine in (None, history.name)]
    if not asked:
        raise SourceError(
            f"--machine {machine}: there are no results of it, but of {', '.join(item.name for item in histories)}."
        )
    commits = {commit.name: commit for history in asked for commit in history.commits}
    names = [_resolve(text, list(commits.values()), repository) for text in (a, b)]
    found = []
    for history in asked:
        places = {commit.name: place for place, commit in enumerate(history.commits)}
        if all(name in places for name in names):
            found.append((history, places[names[0]], places[names[1]]))
    if not found:
        where = f"--machine {machine} has not" if machine else f"none of {', '.join(item.name for item in asked)} has"
        raise SourceError(
            f"{where} measured both {names[0][:8]} and {names[1][:8]}. Measure them with `python -m bench track`."
        )
    return found


def _resolve(text: str, commits: list[Commit], repository: Repository) -> str:
    """The hash of a measured commit.

    Raises:
        SourceError: No measured commit is called that, or several are.
    """
    wanted = text.lower()
    is_hash = re.fullmatch("[0-9a-f]{4,64}", wanted)
    matching = [commit.name for commit in commits if is_hash and commit.name.startswith(wanted)]
    if len(matching) > 1:
        raise SourceError(f"{text!r} is ambiguous. It is one of{_lines(sorted(matching))}")
    if matching:
        return matching[0]
    resolved = repository.resolve(text)
    if any(commit.name == resolved for commit in commits):
        return resolved
    if not resolved and re.fullmatch("[0-9a-f]{1,3}", wanted):
        raise SourceError(f"{text!r} is too short: give at least 4 digits of the commit's hash.")
    newest = sorted(commits, key=lambda commit: (commit.date, commit.name), reverse=True)
    what = f"{text!r}, which is {resolved[:8]}, was not" if resolved else f"no commit called {text!r} was"
    raise SourceError(
        f"{what} measured: measure it with `python -m bench track NAME`, or name one that was, the newest first:"
        + _lines([titled(commit) for commit in newest])
    )


def _lines(words: list[str]) -> str:
    """Five of them at most, one a line."""
    return "".join(f"\n  {word}" for word in (*words[:5], *([f"and {len(words) - 5} more"] if len(words) > 5 else [])))


HEADS = ("", "change", "A", "B", "benchmark", "framework", "optimizer")


def _cells(row: Row) -> tuple[str, ...]:
    def value(number: float | None) -> str:
        return f"missing: {row.missing}" if number is None else with_unit(number, row.series.unit)

    return (
        WORDS[row.verdict] + (", scatter not known" if row.verdict in MOVED and row.limit is None else ""),
        "" if row.change is None else percent(row.change),
        value(row.before),
        value(row.after),
        named(row.series),
        framework_label(row.series.framework),
        optimizer_label(row.series.optimizer) if row.series.optimizer else "",
    )


def _summary(rows: list[Row]) -> str:
    counts = {words: sum(row.verdict == kind for row in rows) for kind, words in WORDS.items()}
    return ", ".join(f"{count} {words}" for words, count in counts.items() if count)


def _listed(rows: list[Row], everything: bool) -> list[Row]:
    return [row for row in rows if everything or row.verdict in SHOWN]


def _plain(history: History, a: Commit, b: Commit, rows: list[Row], options: argparse.Namespace) -> list[str]:
    lines = [f"A  {titled(a)}", f"B  {titled(b)}", f"on {history.name}: {_summary(rows)}"]
    table = [_cells(row) for row in _listed(rows, options.all)]
    if table:
        table.insert(0, HEADS)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines.append("")
        for cells in table:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return [printable(line) for line in lines]


def _markdown(history: History, a: Commit, b: Commit, rows: list[Row], options: argparse.Namespace) -> list[str]:
    def commit(item: Commit) -> str:
        name = f"[`{item.name[:8]}`]({item.link})" if item.link else f"`{item.name[:8]}`"
        return f"{name} ({escaped(item.subject)})" if item.subject else name

    lines = [
        f"**{escaped(_summary(rows))}** on {escaped(history.name)}, from {commit(a)} to {commit(b)}",
        "",
    ]
    table = [_cells(row) for row in _listed(rows, options.all)]
    if table:
        lines += [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
        lines += [f"| {' | '.join(map(escaped, cells))} |" for cells in table]
        lines.append("")
    return lines
