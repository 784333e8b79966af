"""Running several adapters, each in a process of its own, and writing down what they made of the vectors."""

import datetime
import json
import multiprocessing
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from suite import SPEC_VERSION, adapters
from suite.check import QUANTITIES, check
from suite.load import VectorFile

SCHEMA = "alphaadam-conformance-1"


class AdapterError(Exception):
    """An adapter could not be run at all; the message says why and what to do."""


def run(names: Sequence[str], files: Sequence[VectorFile]) -> dict[str, Any]:
    """Run ``files`` against the adapters called ``names`` and return the results document.

    Raises:
        AdapterError: An adapter's framework is not installed, or its process died.
    """
    described, results = [], []
    for name in names:
        versions, outcomes = _run_one(name, files)
        described.append({"name": name, "versions": versions})
        results += outcomes
    return {
        "schema": SCHEMA,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "suite": {
            "specVersion": SPEC_VERSION,
            "files": [
                {"name": file.name, "sha256": file.sha256, "numberOfTests": file.document["numberOfTests"]}
                for file in files
            ],
        },
        "machine": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
        },
        "adapters": described,
        "results": results,
    }


def write(document: dict[str, Any], path: Path) -> None:
    """Write a results document; an interrupted write leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    os.replace(partial, path)


def failures(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The results that are neither a pass nor a stated exception."""
    return [result for result in document["results"] if result["outcome"] in ("fail", "error")]


def matrix(document: dict[str, Any]) -> str:
    """The results as a readable matrix: files and types by adapters, then the largest error seen per quantity."""
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
    others = [f"{count} {outcome}" for outcome, count in counts.items() if outcome != "pass"]
    return ", ".join([f"{counts['pass']}/{total} pass", *others])


def _largest(document: dict[str, Any], name: str, quantity: str) -> str:
    seen = [
        float(r["largestUlp"][quantity])
        for r in document["results"]
        if r["adapter"] == name and quantity in r["largestUlp"]
    ]
    return f"{max(seen):.3g}" if seen else "not reported"


def _run_one(name: str, files: Sequence[VectorFile]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    # Spawned, not forked: a framework must not inherit another's threads, and Keras reads its backend once a process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(_in_child, name, files).result()
        except ImportError as error:
            framework = name.split("-")
            raise AdapterError(
                f"adapter {name}: {error}. Install it with: python -m pip install -c constraints.txt "
                f"'.[{framework[0]}]'" + (f" and the backend {framework[1]}" if len(framework) > 1 else "")
            ) from None
        except BrokenProcessPool:
            raise AdapterError(
                f"adapter {name}: its process died. Run it alone to see why: python -m suite run --adapter {name}"
            ) from None


def _in_child(name: str, files: Sequence[VectorFile]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    adapter = adapters.create(name)
    total = sum(file.document["numberOfTests"] for file in files)
    results = []
    for number, outcome in enumerate(check(adapter, files), start=1):
        results.append(outcome.as_json(name))
        if number % 25 == 0 or number == total:
            _report_progress(f"{name}: {number} of {total}", last=number == total)
    return adapter.versions(), results


def _report_progress(text: str, last: bool) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif last:
        print(text, file=sys.stderr, flush=True)


def _commit() -> str | None:
    """The commit of the working tree that holds the suite, or None outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
