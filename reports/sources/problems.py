"""Reads why something is missing from a machine's results, as `python -m bench track` records it."""

import json
from pathlib import Path

from reports.sources.error import SourceError

FILE = "problems.jsonl"
"""Lies beside the machine's result files; asv does not read it."""


def problem_lines(machine: Path, commit: str) -> list[str]:
    """What could not be measured of a commit on a machine, and why, in words.

    What a benchmark's own `setup` skips is no problem: there it does not apply.

    Raises:
        SourceError: The file is broken.
    """
    path = machine / FILE
    if not path.exists():
        return []
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            problem = json.loads(line)
            if problem["commit"] == commit and problem["kind"] == "failed":
                lines.append(_words(problem))
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"{path}, line {number}: {error!r}. Remove the line, or merge the folder again."
            ) from error
    return lines


def _words(problem: dict) -> str:
    what = problem["benchmark"] or "everything"
    combinations = [combination for combination in problem["parameters"] if combination]
    if combinations:
        what += f" ({'; '.join(combinations)})"
    return f"Not measured in {problem['environment']}: {what}: {problem['reason']} (tried {problem['when']})"
