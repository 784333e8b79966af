"""asv's results over commits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reports.sources.asv_results import AsvResults, load_newest


@dataclass(frozen=True)
class History:
    """What asv measured on one machine, commit by commit.

    Attributes:
        name: the machine's name.
        newest: the newest commit alone.
    """

    name: str
    newest: AsvResults


def load_asv(folder: Path, complain: Callable[[Path, str], None]) -> list[History]:
    """Reads asv's results folder: a history for each machine."""
    newest = load_newest(folder)
    return [History(newest.machine["machine"], newest)]
