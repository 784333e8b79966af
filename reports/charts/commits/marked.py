"""The changes that were marked, the newest first, as a table: what the page says without its script, and on paper."""

import math

from reports.charts.commits.steps import Mark, trend
from reports.charts.commits.words import named, percent, with_unit
from reports.figures import Chart, Figure
from reports.names import framework_label, optimizer_label
from reports.results import Results
from reports.sources.asv_history import History, Series
from reports.tables import Cell, Table

FEW = 12
"""More rows than these the page keeps folded."""


class MarkedChanges(Chart):
    """A table of marked changes for each machine."""

    def draw(self, results: Results) -> list[Figure]:
        if not results.histories:
            return []
        tables, missing = [], []
        for history in results.histories:
            found = marks(history)
            if found:
                tables.append(_table(history, found))
            else:
                missing.append(f"{history.name}: no change is marked in {len(history.commits)} commits.")
        return [Figure("marked-changes", "Marked changes", tables=tables, missing=missing)]


def marks(history: History) -> list[tuple[Series, Mark]]:
    """All marks of a machine, those of the newest commits first and among these the largest."""
    found = [(series, mark) for series in history.series for mark in trend(series.values).marks]
    return sorted(found, key=lambda item: (-item[1].at, -magnitude(item[1])))


def magnitude(mark: Mark) -> float:
    """How far a level moved: half as long is as far as twice as long."""
    if mark.before > 0 and mark.after > 0:
        return abs(math.log(mark.after / mark.before))
    return math.inf


def _table(history: History, found: list[tuple[Series, Mark]]) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    unknown = "subject not known" if any(commit.subject for commit in history.commits) else ""
    for series, mark in found:
        commit = history.commits[mark.at]
        headers = (
            commit.name[:8],
            f"{commit.date:%Y-%m-%d}",
            commit.subject or unknown,
            named(series),
            framework_label(series.framework),
            optimizer_label(series.optimizer) if series.optimizer else "",
            _kind(mark, len(series.values)),
        )
        change = mark.change
        rows.append(
            (
                headers,
                [
                    Cell(with_unit(mark.before, series.unit), mark.before),
                    Cell(with_unit(mark.after, series.unit), mark.after),
                    Cell("", None, "level before is 0") if math.isinf(change) else Cell(percent(change), change),
                ],
            )
        )
    return Table(
        f"Changes of 5 % or more on {history.name}, in {len(history.commits)} commits",
        [*("commit", "date", "subject", "benchmark", "framework", "optimizer", "kind"), "before", "after", "change"],
        rows,
        long=len(rows) > FEW,
    )


def _kind(mark: Mark, commits: int) -> str:
    word = "worse" if mark.change > 0 else "better"
    return f"{word} (one commit so far)" if mark.values == 1 else word
