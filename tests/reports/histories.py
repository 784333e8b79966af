"""Histories made of plain lists of values, for tests of what is made of them."""

from datetime import UTC, datetime, timedelta

from reports.sources.asv_history import Commit, History, Series
from reports.sources.asv_results import AsvResults

FIRST = datetime(2026, 5, 1, tzinfo=UTC)


def commit_name(number: int) -> str:
    """The hash of a commit, whose beginning is its number."""
    return f"{number:04x}".ljust(40, "f")


def series(
    values, benchmark="m.Step.track_seconds", framework="torch", optimizer="alphaadam", unit="seconds", **others
):
    """A series; None is a value that failed."""
    parameters = ((("optimizer", optimizer),) if optimizer else ()) + tuple(others.items())
    missing = {number: "failed" for number, value in enumerate(values) if value is None}
    return Series(benchmark, unit, framework, parameters, tuple(values), missing)


def history(*several, name="box", subjects=None, link="", environments=None, problems=()):
    """A history of these series, one commit a day."""
    length = len(several[0].values)
    commits = tuple(
        Commit(
            commit_name(number),
            FIRST + timedelta(days=number),
            (subjects or {}).get(number, f"subject {number}"),
            f"{link}{commit_name(number)}" if link else "",
        )
        for number in range(length)
    )
    newest = AsvResults({}, {}, {"machine": name}, commits[-1].name, commits[-1].date, commits[-1].date, [])
    names = environments or {item.framework: ("env",) * length for item in several}
    return History(name, {"machine": name}, commits, tuple(several), names, tuple(problems), newest)
