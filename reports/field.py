"""`python -m reports field`: every optimizer in every framework as a Markdown table, for pages and pull requests."""

import argparse
import sys
from collections.abc import Iterator

from reports.arguments import add_paths
from reports.charts.field.agreement import TwoImplementations
from reports.charts.field.implementations import Field
from reports.figures import Figure
from reports.markdown import escaped
from reports.sources.error import SourceError
from reports.sources.read import read
from reports.tables import Cell, Table

DESCRIPTION = """\
Prints what the report's chapter "The field" has as Markdown: a row for each implementation of each optimizer in each
framework, with its source, the vectors that it passed, its largest distance from them, the bytes that it keeps, its
step's time beside AdamW's, and the loss that it ended with; then how far two implementations of one optimizer in one
framework are apart.

It reads what `python -m bench costs`, `python -m bench compare`, `python -m suite run` and `python -m suite agree`
wrote."""

EXAMPLE = "example: python -m reports field bench/results"


def main(arguments: list[str] | None = None) -> int:
    """Prints the tables; returns 0, or 1 with a line on stderr where nothing can be shown."""
    parser = argparse.ArgumentParser(
        prog="python -m reports field",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_paths(parser)
    options = parser.parse_args(arguments)
    try:
        results = read(options.paths)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    figures = [*Field().draw(results), *TwoImplementations().draw(results)]
    if not figures:
        print("error: no costs were found. Measure them with `python -m bench costs`.", file=sys.stderr)
        return 1
    for figure in figures:
        print("\n".join(_lines(figure)))
    return 0


def _lines(figure: Figure) -> Iterator[str]:
    yield f"## {figure.title}"
    yield ""
    yield figure.lead
    for table in figure.tables:
        yield ""
        yield from _rows(table)
    yield ""


def _rows(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield _row(["---"] * len(table.columns))
    for heads, cells in table.rows:
        yield _row([*map(escaped, heads), *map(_text, cells)])


def _row(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _text(cell: Cell) -> str:
    return escaped(f"– ({cell.missing})" if cell.missing else cell.text)
