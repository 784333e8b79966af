"""Reads why something is missing from a machine's results, as `python -m bench track` records it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from reports.sources.fields import words

FILE = "problems.jsonl"
"""Lies beside the machine's result files; asv does not read it."""


class Problem(NamedTuple):
    """Something that was to be measured and has no value.

    Attributes:
        commit: the full hash; empty where no commit could be measured.
        environment: what it was to be measured in.
        benchmark: its name; empty where all of them are missing.
        parameters: the combinations that have no value, as asv writes them; empty for all of them.
        reason: why, in words.
        when: when it was tried.
    """

    commit: str
    environment: str
    benchmark: str
    parameters: tuple[str, ...]
    reason: str
    when: str


def load_problems(machine: Path, complain: Callable[[Path, str], None]) -> list[Problem]:
    """What could not be measured on a machine, in the file's order; lines that cannot be read are complained about.

    What a benchmark's own `setup` skips is no problem: there it does not apply.
    """
    path = machine / FILE
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        complain(path, f"It cannot be read ({error}). Merge the folder again.")
        return []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.strip() else {"kind": "skipped"}
            if record["kind"] == "failed":
                found.append(_problem(record))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            complain(
                path, f"Line {number} is no record of a problem ({error!r}). Remove it, or merge the folder again."
            )
    return found


def _problem(record: dict) -> Problem:
    texts = [record[key] for key in ("commit", "environment", "benchmark", "reason", "when")]
    parameters = record["parameters"]
    if not isinstance(parameters, list) or not all(isinstance(text, str) for text in (*texts, *parameters)):
        raise TypeError("one of its fields is no text")
    commit, environment, benchmark, reason, when = map(words, texts)
    return Problem(commit, environment, benchmark, tuple(words(text) for text in parameters if text), reason, when)
