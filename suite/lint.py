"""What a vector file must be beyond its schema: canonical, unambiguous, explained, exact in its dtype."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpmath import mpf

from suite import canonical
from suite.load import VECTORS, load
from suite.reference.formats import STORED, Format


def lint(directory: Path = VECTORS) -> list[str]:
    """Return one line per problem in the vector files of a folder.

    Raises:
        suite.load.VectorFileError: A file is no vector file at all.
    """
    return [f"{path.name}: {problem}" for path in sorted(directory.glob("*.json")) for problem in _problems(path)]


def _problems(path: Path) -> Iterator[str]:
    document = load(path).document
    if canonical.dumps(document) != path.read_text(encoding="utf-8"):
        yield "not in canonical form; run: python -m suite generate"
    tests = [(group, test) for group in document["groups"] for test in group["tests"]]
    numbers = [test["tcId"] for _, test in tests]
    if numbers != list(range(1, len(tests) + 1)):
        yield "tcId does not count the tests from 1"
    used = {flag for _, test in tests for flag in test["flags"]}
    for flag in sorted(used - document["notes"].keys()):
        yield f"flag {flag!r} has no note"
    for flag in sorted(document["notes"].keys() - used):
        yield f"note {flag!r} explains a flag that no test has"
    for group, test in tests:
        if group["type"] == "InvalidHyperparameters":
            continue
        if (group["type"] == "SingleStep") != (len(test["steps"]) == 1):
            yield f"{test['id']} ({group['dtype']}): {len(test['steps'])} steps in a {group['type']}"
        inexact = [x for x in _numbers(test) if not _is_exact(x, STORED[group["dtype"]])]
        if inexact:
            yield f"{test['id']} ({group['dtype']}): {inexact[0]!r} is no {group['dtype']} number"


def _numbers(test: dict[str, Any]) -> Iterator[float]:
    """Every element of every tensor of a test."""
    holders = [test["initial"], test["initial"].get("state", {}), *test["steps"]]
    holders += [outcome for step in test["steps"] for outcome in [step["expected"], *step.get("acceptable", [])]]
    for holder in holders:
        for value in holder.values():
            if isinstance(value, list):
                for item in value:
                    for x in item.get("data", ()) if isinstance(item, dict) else ():
                        yield from map(canonical.decode_number, x if isinstance(x, list) else [x])


def _is_exact(value: float, stored: Format) -> bool:
    return not math.isfinite(value) or stored.round(mpf(value)) == value
