"""A history with known changes, in asv's format: `python -m tests.reports.synthetic_history FOLDER`.

Every value is a level times 1 + noise. The noise is normal with a standard deviation of 1 %, and one value in fifty
lies five times as far off, though not the three before and after a change: nobody could tell at which of them it was.
Some series change their level by a known factor at a known commit, of 8 to 30 %; one value in a hundred is missing. The
same size and seed give the same files.
"""

import argparse
import hashlib
import itertools
import json
import random
from pathlib import Path
from typing import NamedTuple

FRAMEWORKS = ("torch", "jax")
OPTIMIZERS = ("alphaadam", "adamw", "cautious-adamw", "lion", "sgd")
SHAPES = ("gpt2-nano", "gpt2-micro", "gpt2-mini", "gpt2-small")
FACTORS = (1.08, 1.10, 1.15, 1.30, 1 / 1.08, 1 / 1.10, 1 / 1.15, 1 / 1.30)
NOISE = 0.01
BETWEEN = 20
"""Commits before, after and between planted changes."""

FIRST_DAY = 1_700_000_000_000
QUARTER_DAY = 6 * 3600 * 1000


class Planted(NamedTuple):
    """A change that a report has to mark: its series, the number of its commit, and the factor."""

    benchmark: str
    framework: str
    parameters: tuple[str, ...]
    commit: int
    factor: float


def commit_name(number: int) -> str:
    """The hash of a commit that does not exist."""
    return hashlib.sha1(f"synthetic {number}".encode()).hexdigest()


def make(folder: Path, commits: int, benchmarks: int, shapes: int = len(SHAPES), seed: int = 1) -> list[Planted]:
    """Writes asv's folder; two frameworks by five optimizers by `shapes` series of each benchmark.

    Returns:
        The changes, one or two in every fifth series.
    """
    choose = random.Random(seed)
    parameters = [list(map(repr, OPTIMIZERS)), list(map(repr, SHAPES[:shapes]))]
    names = [f"synthetic.Step.track_seconds_{number}" for number in range(benchmarks)]
    columns: dict[tuple[str, str], list[list[float | None]]] = {}
    planted = []
    every = itertools.product(names, FRAMEWORKS, itertools.product(*parameters))
    for number, (name, framework, combination) in enumerate(every):
        changes = _changes(choose, commits) if number % 5 == 2 else {}
        planted += [Planted(name, framework, combination, at, factor) for at, factor in sorted(changes.items())]
        columns.setdefault((name, framework), []).append(_values(choose, commits, changes))

    _write(folder / "benchmarks.json", _descriptions(names, parameters))
    machine = {"machine": "synthetic", "cpu": "none", "num_cpu": "2", "os": "none", "ram": "1", "arch": "none"}
    _write(folder / "synthetic" / "machine.json", {**machine, "version": 1})
    for framework, commit in itertools.product(FRAMEWORKS, range(commits)):
        date = FIRST_DAY + commit * QUARTER_DAY
        rows = {
            name: [[values[commit] for values in columns[name, framework]], parameters, "1", date + 1000]
            for name in names
        }
        content = {
            "commit_hash": commit_name(commit),
            "env_name": f"py3.11-{framework}",
            "date": date,
            "params": {**machine, "python": "3.11"},
            "python": "3.11",
            "requirements": {"numpy": "2.4.6"},
            "env_vars": {"BENCH_FRAMEWORK": framework},
            "result_columns": ["result", "params", "version", "started_at"],
            "results": rows,
            "durations": {},
            "version": 2,
        }
        _write(folder / "synthetic" / f"{commit_name(commit)[:8]}-py3.11-{framework}.json", content)
    return planted


def _changes(choose: random.Random, commits: int) -> dict[int, float]:
    first = choose.randrange(BETWEEN, commits - BETWEEN)
    changes = {first: choose.choice(FACTORS)}
    if first + 2 * BETWEEN < commits and choose.random() < 0.5:
        changes[choose.randrange(first + BETWEEN, commits - BETWEEN)] = choose.choice(FACTORS)
    return changes


def _values(choose: random.Random, commits: int, changes: dict[int, float]) -> list[float | None]:
    level = 10 ** choose.uniform(-4, 0)
    values: list[float | None] = []
    for commit in range(commits):
        level *= changes.get(commit, 1)
        beside = any(change - 3 <= commit < change + 3 for change in changes)
        noise = choose.gauss(0, NOISE) * (5 if choose.random() < 0.02 and not beside else 1)
        missing = choose.random() < 0.01 and commit not in changes
        values.append(None if missing else level * (1 + noise))
    return values


def _descriptions(names: list[str], parameters: list[list[str]]) -> dict:
    described = {
        name: {
            "name": name,
            "param_names": ["optimizer", "shapes"],
            "params": parameters,
            "unit": "seconds",
            "version": "1",
            "type": "track",
            "code": "",
        }
        for name in names
    }
    return {**described, "version": 2}


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.reports.synthetic_history", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--commits", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--benchmarks", type=int, default=5, help="of 40 series each (default: %(default)s)")
    options = parser.parse_args()
    for change in make(options.folder, options.commits, options.benchmarks):
        print(*change[:2], ", ".join(change.parameters), commit_name(change.commit)[:8], f"{change.factor:.3f}")
