"""`python -m reports diff A B`: what changed between two commits, for the terminal, CI and pull requests."""

import argparse
import html
import math
import re
import sys
from pathlib import Path

from reports.charts.commits.comparison import DEVIATIONS, MOVED, WORDS, Row, compare
from reports.charts.commits.steps import ENOUGH, THRESHOLD
from reports.charts.commits.words import named, percent, titled
from reports.names import framework_label, optimizer_label
from reports.sources.asv_history import Commit, History
from reports.sources.error import SourceError
from reports.sources.read import read
from reports.sources.repository import Repository, add_arguments, from_arguments
from reports.tables import significant

DESCRIPTION = f"""\
Compares two commits by asv's results, benchmark by benchmark, those that moved first.

A benchmark moved if its value differs by the threshold or more, and by more than {DEVIATIONS} standard deviations of
the difference of two of its values. Its standard deviation is what its values scatter by about their levels, over
all commits; where fewer than {ENOUGH} values show that, the threshold alone decides. Larger is worse."""

CODES = """\
exit codes: 0 nothing got worse, 1 something did, 2 the commits could not be compared

examples:
  python -m reports diff HEAD~1 HEAD
  python -m reports diff main 1a2b3c4d bench/results/asv --threshold 10 --markdown"""

UNCHANGED, WORSE, FAILED = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; returns one of the exit codes above."""
    parser = argparse.ArgumentParser(
        prog="python -m reports diff",
        description=DESCRIPTION,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in ("A", "B"):
        parser.add_argument(name, help="a commit: the beginning of its hash, or what git calls it")
    parser.add_argument(
        "paths", type=Path, nargs="*", default=[Path("results")], metavar="PATH", help="as for the report"
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
    parser.add_argument("--all", action="store_true", help="list what did not move, too")
    add_arguments(parser)
    options = parser.parse_intermixed_args(arguments)
    try:
        repository = from_arguments(options)
        results = read(options.paths, repository)
        for unread in results.unread:
            print(_printable(f"could not read {unread.path}: {unread.reason}"), file=sys.stderr)
        found = _found(results.histories, options.A, options.B, options.machine, repository)
    except SourceError as error:
        print(_printable(f"error: {error}"), file=sys.stderr)
        return FAILED
    threshold = options.threshold / 100
    parts = [(history, a, b, compare(history, a, b, threshold)) for history, a, b in found]
    if not any(row.change is not None for *_, rows in parts for row in rows):
        print("error: no benchmark has a value at both commits. Try `python -m bench track`.", file=sys.stderr)
        return FAILED
    show = _markdown if options.markdown else _plain
    for history, a, b, rows in parts:
        print("\n".join(show(history, history.commits[a], history.commits[b], rows, options)))
    return WORSE if any(row.verdict == "worse" for *_, rows in parts for row in rows) else UNCHANGED


def _percent(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text} is no percentage")
    return value


def _found(
    histories: tuple[History, ...], a: str, b: str, machine: str | None, repository: Repository
) -> list[tuple[History, int, int]]:
    """The machines that have both commits, and the commits' numbers there."""
    asked = [history for history in histories if machine in (None, history.name)]
    if not histories:
        raise SourceError("there are no results of asv at the paths.")
    if not asked:
        raise SourceError(f"there are results of {', '.join(history.name for history in histories)}, not of {machine}.")
    commits = {commit.name: commit for history in asked for commit in history.commits}
    names = [_resolve(text, list(commits.values()), repository) for text in (a, b)]
    found = []
    for history in asked:
        places = {commit.name: place for place, commit in enumerate(history.commits)}
        if all(name in places for name in names):
            found.append((history, places[names[0]], places[names[1]]))
    if not found:
        raise SourceError(f"no machine has measured both {names[0][:12]} and {names[1][:12]}.")
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
        raise SourceError(f"{text!r} is ambiguous: it is {_some(sorted(matching))}.")
    if matching:
        return matching[0]
    resolved = repository.resolve(text)
    if any(commit.name == resolved for commit in commits):
        return resolved
    newest = sorted(commits, key=lambda commit: (commit.date, commit.name), reverse=True)
    what = f"{text!r}, which is {resolved[:12]}, was not" if resolved else f"no commit called {text!r} was"
    raise SourceError(f"{what} measured. The newest that were: {_some([titled(commit) for commit in newest])}.")


def _some(words: list[str]) -> str:
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return "; ".join(words[:5]) + more


HEADS = ("", "change", "A", "B", "benchmark", "framework", "optimizer")


def _cells(row: Row) -> tuple[str, ...]:
    def value(number: float | None) -> str:
        return f"missing: {row.missing}" if number is None else f"{significant(number)} {row.series.unit}".strip()

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
    return [row for row in rows if everything or row.verdict in MOVED or row.change is None]


def _plain(history: History, a: Commit, b: Commit, rows: list[Row], options: argparse.Namespace) -> list[str]:
    lines = [f"A  {titled(a)}", f"B  {titled(b)}", f"on {history.name}: {_summary(rows)}"]
    table = [_cells(row) for row in _listed(rows, options.all)]
    if table:
        table.insert(0, HEADS)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines.append("")
        for cells in table:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return [_printable(line) for line in lines]


def _markdown(history: History, a: Commit, b: Commit, rows: list[Row], options: argparse.Namespace) -> list[str]:
    def commit(item: Commit) -> str:
        return f"[`{item.name[:8]}`]({item.link})" if item.link else f"`{item.name[:8]}`"

    lines = [
        f"**{_escaped(_summary(rows))}** on {_escaped(history.name)}, "
        f"from {commit(a)} {_escaped(a.subject)} to {commit(b)} {_escaped(b.subject)}",
        "",
    ]
    table = [_cells(row) for row in _listed(rows, options.all)]
    if table:
        lines += [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
        lines += [f"| {' | '.join(map(_escaped, cells))} |" for cells in table]
        lines.append("")
    return lines


def _printable(text: str) -> str:
    """A result file must not move the terminal's cursor or change its colours."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: no HTML, no link, no mention, no end of the cell."""
    return re.sub(r"([\\`*_\[\]|~#@!])", r"\\\1", html.escape(_printable(text), quote=False))
