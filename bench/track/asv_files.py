"""asv's result files, read strictly, and two of them merged value by value.

A result file holds one commit in one environment on one machine: for each benchmark a row of columns, of which some
hold one entry for each combination of the benchmark's parameters. A measured value is a number; asv writes null for a
benchmark that failed and NaN for one that was skipped or not selected.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VERSION = 2
"""Of asv's result files and of its benchmarks.json."""

_BY_COMBINATION = ("result", "samples")
_NEEDED = ("commit_hash", "env_name", "params", "result_columns", "results")

Row = dict[str, Any]


def read_versioned(path: Path, version: int) -> dict[str, Any]:
    """Reads a JSON file of asv's.

    Raises:
        ValueError: It is no JSON, or of another version; the message names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is no JSON file ({error}): it is incomplete or broken; repair or remove it"
        ) from error
    found = content.get("version") if isinstance(content, dict) else None
    if found != version:
        raise ValueError(f"{path} has the version {found!r}, not {version}; run `asv update` where it comes from")
    return content


def read_results(path: Path) -> dict[str, Any]:
    """Reads a result file.

    Raises:
        ValueError: It is no result file of asv 0.6, or of another machine than its folder; the message names it.
    """
    content = read_versioned(path, VERSION)
    if missing := [key for key in _NEEDED if key not in content]:
        raise ValueError(f"{path} is no result file of asv: it has no {missing[0]!r}")
    if (machine := content["params"].get("machine")) != path.parent.name:
        raise ValueError(f"{path} is of the machine {machine!r}, not {path.parent.name!r} as its folder is called")
    for name, row in rows(content).items():
        try:
            values(row)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is broken: of {name} it has not one value for each set of parameters") from error
    return content


def rows(content: Mapping[str, Any]) -> dict[str, Row]:
    """What a result file says of each benchmark, by column."""
    return {name: dict(zip(content["result_columns"], row, strict=False)) for name, row in content["results"].items()}


def values(row: Row, column: str = "result") -> dict[tuple[str, ...], Any]:
    """A column's entry for each combination of parameters, which are written as Python's `repr` writes them."""
    combinations = list(itertools.product(*row["params"]))
    entries = row.get(column)
    return dict(zip(combinations, [None] * len(combinations) if entries is None else entries, strict=True))


def is_number(value: Any) -> bool:
    """Whether a value was measured."""
    return isinstance(value, int | float) and not math.isnan(value)


def as_text(content: Mapping[str, Any]) -> str:
    """A result file's text, as asv writes it."""
    return json.dumps(content)


def merge_results(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both files' values; of two for the same parameters the one that was measured later.

    A failure or an omission never takes the place of a number, unless the benchmark's version has changed.

    Args:
        one: A result file's content. What is equally old is taken from it.
        other: Another one's, of the same commit, environment and machine.
    """
    columns = list(dict.fromkeys([*one["result_columns"], *other["result_columns"]]))
    mine, others = rows(one), rows(other)
    merged = {name: _merged(mine.get(name), others.get(name)) for name in dict.fromkeys([*mine, *others])}
    packed = {name: _packed([row.get(column) for column in columns]) for name, row in merged.items()}
    durations = dict(one.get("durations", {}))
    durations |= {key: value for key, value in other.get("durations", {}).items() if key not in durations}
    return {**one, "result_columns": columns, "results": packed, "durations": durations}


def _merged(one: Row | None, other: Row | None) -> Row:
    if one is None or other is None:
        return dict(one or other or {})
    newer, older = (one, other) if _started(one) >= _started(other) else (other, one)
    if newer.get("version") != older.get("version"):
        return dict(newer)
    now, before = values(newer), values(older)
    kept = [c for c in now if c in before and _worth(before[c]) > _worth(now[c])]
    row = dict(newer)
    for column in {*newer, *older}:
        if column in _BY_COMBINATION or column.startswith("stats_"):
            earlier = values(older, column)
            entries = values(newer, column) | {c: earlier[c] for c in kept}
            row[column] = None if all(entry is None for entry in entries.values()) else list(entries.values())
    return row


def _started(row: Row) -> float:
    return row.get("started_at") or 0


def _worth(value: Any) -> int:
    """A number is worth more than a failure, and that more than an omission."""
    return 2 if is_number(value) else 1 if value is None else 0


def _packed(row: list[Any]) -> list[Any]:
    """Without what is null at the end, as asv writes it."""
    while row and row[-1] is None:
        row.pop()
    return row
