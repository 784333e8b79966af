"""Running several adapters, each in a process of its own, and writing down what they made of the vectors."""

import contextlib
import datetime
import fnmatch
import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from suite import SPEC_VERSION, deviations, process
from suite.check import QUANTITIES, VectorTest, all_tests, check
from suite.files import replace_text
from suite.load import VectorFile

SCHEMA = "alphaadam-conformance-3"

#: Outcomes that make a run fail.
FAILURES = ("fail", "error")


def run(
    names: Sequence[str],
    files: Sequence[VectorFile],
    unusable: Sequence[str] = (),
    *,
    only: str = "*",
    flag: str | None = None,
    time_limit: float = 60.0,
    fail_fast: bool = False,
    jobs: int = 1,
) -> dict[str, Any]:
    """Run ``files`` against the adapters called ``names`` and return the results document.

    Args:
        names: Names of adapters, or ``path/to/file.py:ClassName``.
        files: Vector files.
        unusable: What is wrong with vector files that cannot be used.
        only: Run tests whose id fits this pattern.
        flag: Run tests that have this flag.
        time_limit: Seconds that one test may take.
        fail_fast: End each adapter with its first test that fails.
        jobs: Adapters that run at the same time.
    """
    tests = chosen(files, only, flag)
    known = deviations.load()
    # Threads that wait for a process each.
    with ThreadPoolExecutor(jobs) as pool:
        answers = list(pool.map(lambda name: _run_one(name, tests, known, time_limit, fail_fast), names))
    return {
        "schema": SCHEMA,
        **origin(files, unusable),
        "selection": {"only": only, "flag": flag, "failFast": fail_fast},
        "adapters": [entry for entry, _ in answers],
        "results": [outcome for _, outcomes in answers for outcome in outcomes],
    }


def chosen(files: Sequence[VectorFile], only: str, flag: str | None) -> list[VectorTest]:
    """The tests of ``files`` whose id fits the pattern ``only`` and that have the flag, if one is asked for."""
    return [
        test
        for test in all_tests(files)
        if fnmatch.fnmatchcase(test.test["id"], only) and (flag is None or flag in test.test["flags"])
    ]


def origin(files: Sequence[VectorFile], unusable: Sequence[str]) -> dict[str, Any]:
    """What every results document says of when, where and with which vectors it was made."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "suite": {
            "specVersion": SPEC_VERSION,
            "files": [
                {
                    "name": file.name,
                    "sha256": file.sha256,
                    "optimizer": file.document["optimizer"],
                    "numberOfTests": file.document["numberOfTests"],
                }
                for file in files
            ],
            "unusable": list(unusable),
        },
        "machine": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
        },
    }


def _run_one(
    name: str, tests: Sequence[VectorTest], known: list[deviations.Deviation], time_limit: float, fail_fast: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    entry: dict[str, Any] = {"name": name, "versions": {}, "optimizers": []}
    results: list[dict[str, Any]] = []
    try:
        entry["versions"], entry["optimizers"], answers = process.run(name, tests, check, time_limit)
        with contextlib.closing(answers):
            for test, answer in answers:
                outcome = test.outcome("error", answer) if isinstance(answer, str) else answer
                results.append(deviations.apply(known, name, outcome).as_json(name))
                if fail_fast and outcome.outcome in FAILURES:
                    break
    except process.AdapterError as error:  # at the start, or after a crash: what came before is kept
        entry["error"] = str(error)
    return entry, results


def write(document: dict[str, Any], path: Path) -> None:
    """Write a results document; an interrupted write leaves the old file."""
    replace_text(path, json.dumps(document, indent=1))


def failures(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The results that are neither a pass nor a stated exception."""
    return [result for result in document["results"] if result["outcome"] in FAILURES]


def matrix(document: dict[str, Any]) -> str:
    """The results as a readable matrix: files and types by adapters.

    Below them stands the largest error of each quantity, known deviations aside.
    """
    names = [adapter["name"] for adapter in document["adapters"]]
    rows = [["", *names]]
    kinds = dict.fromkeys((r["file"], r["type"], r["dtype"]) for r in document["results"])
    for file, kind, dtype in kinds:
        row = [f"{file} {kind} {dtype or ''}".strip()]
        for name in names:
            here = [
                r
                for r in document["results"]
                if (r["file"], r["type"], r["dtype"], r["adapter"]) == (file, kind, dtype, name)
            ]
            row.append(_tally(r["outcome"] for r in here))
        rows.append(row)
    for quantity in QUANTITIES:
        rows.append([f"largest error in {quantity}, ulp", *(_largest(document, name, quantity) for name in names)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _tally(outcomes: Iterable[str]) -> str:
    counts = Counter(outcomes)
    total = sum(counts.values())
    if not total:
        return "not asked"  # vectors of another optimizer
    others = [f"{count} {outcome}" for outcome, count in counts.items() if outcome != "pass"]
    return ", ".join([f"{counts['pass']}/{total} pass", *others])


def _largest(document: dict[str, Any], name: str, quantity: str) -> str:
    seen = [
        float(r["largestUlp"][quantity])
        for r in document["results"]
        if r["adapter"] == name and quantity in r["largestUlp"] and r["outcome"] != "expected-deviation"
    ]
    return f"{max(seen):.3g}" if seen else "not reported"


def _commit() -> str | None:
    """The commit of the working tree that holds the suite, or None outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
