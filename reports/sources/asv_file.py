"""Reads one of asv's result files: one commit in one environment."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asv.results import Results
from asv.util import UserError, load_json

from reports.sources.error import SourceError
from reports.sources.fields import words

Combination = tuple[str, ...]
"""A benchmark's parameters, as asv writes them: by Python's `repr`."""


@dataclass(frozen=True)
class Recorded:
    """What a file holds of one benchmark."""

    version: str | None
    values: dict[Combination, object]


@dataclass(frozen=True)
class ResultFile:
    """One result file.

    Attributes:
        path: where it lies.
        machine: the machine that it names.
        commit: the full hash.
        date: the commit's date.
        measured: when the last benchmark started, or the commit's date if the file does not say.
        framework: what it measures; empty if it does not say.
        environment: the environment's name.
        python: the Python version.
        versions: of what is installed.
        variables: the environment variables.
        benchmarks: by name.
    """

    path: Path
    machine: str
    commit: str
    date: datetime
    measured: datetime
    framework: str
    environment: str
    python: str
    versions: dict[str, str]
    variables: dict[str, str]
    benchmarks: dict[str, Recorded]


def load_asv_json(path: Path, version: int) -> dict:
    """An object in one of asv's files.

    Raises:
        SourceError: It is missing, broken or of another version of asv's format.
    """
    try:
        data = load_json(str(path), api_version=version)
    except FileNotFoundError:
        raise SourceError("It is missing.") from None
    except (UserError, OSError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(f"It cannot be read ({words(str(error))}).") from error
    if not isinstance(data, dict):
        raise SourceError("It holds no JSON object.")
    return data


def load_result_file(path: Path, complain: Callable[[Path, str], None]) -> ResultFile:
    """Reads one file; of a benchmark whose record is broken only this record is left out, with a complaint.

    Raises:
        SourceError: Nothing in it can be used.
    """
    data = load_asv_json(path, Results.api_version)
    params, variables, requirements = (_texts(data.get(key)) for key in ("params", "env_vars", "requirements"))
    commit, columns, rows = (data.get(key) for key in ("commit_hash", "result_columns", "results"))
    date = moment(data.get("date"))
    if not isinstance(commit, str) or not commit or date is None:
        raise SourceError("It names no commit and date. Delete it and measure the commit again.")
    if not isinstance(columns, list) or not isinstance(rows, dict):
        raise SourceError("It holds no results. Delete it and measure the commit again.")

    benchmarks, started = {}, []
    for name, row in rows.items():
        record = dict(zip(map(str, columns), row, strict=False)) if isinstance(row, list) else {}
        try:
            benchmarks[words(name)] = _recorded(record)
        except SourceError as error:
            complain(path, f"{words(name)}: {error}")
            continue
        started.append(moment(record.get("started_at")))
    return ResultFile(
        path=path,
        machine=params.get("machine", ""),
        commit=words(commit),
        date=date,
        measured=max([time for time in started if time is not None], default=date),
        framework=variables.get("BENCH_FRAMEWORK", ""),
        environment=words(data.get("env_name")),
        python=params.get("python", ""),
        versions=dict(sorted((name.removeprefix("pip+"), text) for name, text in requirements.items())),
        variables=dict(sorted(variables.items())),
        benchmarks=benchmarks,
    )


def combinations(parameters: object) -> list[Combination]:
    """All combinations of a benchmark's parameters, in asv's order.

    Raises:
        SourceError: This is no list of lists of texts, or there are more combinations than anybody measures.
    """
    lists = [] if parameters is None else parameters
    if not isinstance(lists, list) or not all(
        isinstance(items, list) and all(isinstance(item, str) for item in items) for items in lists
    ):
        raise SourceError("its parameters are no lists of texts.")
    if math.prod(len(items) for items in lists) > 100_000:
        raise SourceError("it has more than 100,000 combinations of parameters.")
    return list(itertools.product(*([words(item, item) for item in items] for items in lists)))


def moment(milliseconds: object) -> datetime | None:
    """A time as asv counts it, in milliseconds since 1970; None for what is no time."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _recorded(record: dict) -> Recorded:
    version = record.get("version")
    if "result" not in record:
        raise SourceError("it has no result.")
    names = combinations(record.get("params"))
    # asv writes null for a benchmark that failed with all its parameters.
    values = [None] * len(names) if record["result"] is None else record["result"]
    if not isinstance(values, list) or len(values) != len(names):
        raise SourceError(f"it does not hold one value for each of its {len(names)} combinations of parameters.")
    if len(set(names)) < len(names):
        raise SourceError("it holds a combination of parameters twice.")
    return Recorded(words(version) if isinstance(version, str) else None, dict(zip(names, values, strict=True)))


def _texts(data: object) -> dict[str, str]:
    """A dict as texts, for what only describes where a value comes from."""
    return {words(name): words(str(value)) for name, value in data.items()} if isinstance(data, dict) else {}
