"""Reads what `python -m bench compare` wrote: a folder of trial records and their comparison."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Comparison:
    """One comparison of optimizers on a task."""

    task: str
    framework: str


def load_comparison(folder: Path, complain: Callable[[Path, str], None]) -> Comparison:
    """Reads one folder."""
    task, _, framework = folder.name.rpartition("-")
    return Comparison(task, framework)
