"""What there is to measure, what of it is missing, and what became of it."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.track.asv_files import is_number, read_results, rows, values
from bench.track.problems import Problem

Combination = tuple[str, ...]


def selected(benchmarks: Mapping[str, Mapping[str, Any]], patterns: Sequence[str]) -> dict[str, list[Combination]]:
    """The combinations of parameters whose names, "module.Class.method(parameter, …)", one of the patterns finds.

    Args:
        benchmarks: What asv discovered.
        patterns: Regular expressions, as for ``asv run --bench``; none selects everything.

    Raises:
        ValueError: A pattern is no regular expression, or they find nothing.
    """
    try:
        compiled = [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise ValueError(f"--bench {error.pattern!r} is no regular expression: {error}") from error
    found = {
        name: [
            combination
            for combination in itertools.product(*benchmark["params"])
            if not compiled or any(pattern.search(title(name, combination)) for pattern in compiled)
        ]
        for name, benchmark in benchmarks.items()
    }
    if not any(found.values()):
        raise ValueError(f"--bench {' --bench '.join(patterns)} selects no benchmark; there are: {', '.join(found)}")
    return {name: combinations for name, combinations in found.items() if combinations}


def title(name: str, combination: Combination) -> str:
    """A benchmark's name with its parameters, as asv writes it."""
    return f"{name}({', '.join(combination)})" if combination else name


def pattern_of(name: str, combination: Combination) -> str:
    """The regular expression that selects a benchmark with these parameters alone."""
    return f"^{re.escape(title(name, combination))}$"


def groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Benchmarks by class: those of one class often read one measurement, so they are measured together."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def missing(
    wanted: Mapping[str, Sequence[Combination]],
    benchmarks: Mapping[str, Mapping[str, Any]],
    results: Mapping[str, Any] | None,
    problems: Sequence[Problem],
) -> dict[str, list[Combination]]:
    """Of what is wanted in a commit and an environment, what has no value yet.

    Args:
        wanted: Combinations by benchmark.
        benchmarks: What asv discovered.
        results: The content of the result file; None if there is none.
        problems: Those of this commit and environment: what a benchmark's `setup` skipped is not missing.
    """
    measured = {} if results is None else rows(results)
    skipped = {(p.benchmark, p.version): set(p.parameters) for p in problems if p.kind == "skipped"}
    found: dict[str, list[Combination]] = {}
    for name, combinations in wanted.items():
        version = benchmarks[name]["version"]
        row = measured.get(name)
        have = values(row) if row is not None and row.get("version") == version else {}
        left = [
            combination
            for combination in combinations
            if not is_number(have.get(combination))
            and not (_omitted(have.get(combination)) and ", ".join(combination) in skipped.get((name, version), ()))
        ]
        if left:
            found[name] = left
    return found


def _omitted(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


@dataclass(frozen=True)
class Step:
    """One run of asv: some benchmarks of one class on one commit, or on several that asv interleaves."""

    group: str
    commits: tuple[str, ...]
    wanted: Mapping[str, Sequence[Combination]]

    def patterns(self) -> list[str]:
        """What selects it."""
        return [pattern_of(name, combination) for name, left in self.wanted.items() for combination in left]


def outcome(
    step: Step, commit: str, environment: str, benchmarks: Mapping[str, Mapping[str, Any]], path: Path, reasons: Any
) -> list[Problem]:
    """What of a step failed or was skipped, read from the result file that asv wrote for a commit.

    Args:
        step: What was asked for.
        commit: The commit.
        environment: The environment's name.
        benchmarks: What asv discovered.
        path: The result file.
        reasons: Why a benchmark failed, by its name.
    """
    measured = rows(read_results(path))
    problems = []
    for name, combinations in step.wanted.items():
        have = values(measured[name]) if name in measured else {}
        for kind in ("failed", "skipped"):
            without = tuple(
                ", ".join(combination)
                for combination in combinations
                if not is_number(value := have.get(combination)) and (kind == "skipped") == _omitted(value)
            )
            if without:
                reason = reasons(name) if kind == "failed" else "its setup says that it does not apply"
                version = str(benchmarks[name]["version"])
                problems.append(Problem(commit, environment, reason, now(), name, kind, version, without))
    return problems


def now() -> str:
    """The time, for a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")
