"""Reads what `python -m bench speed` and `python -m bench scaling` wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SPEED_SCHEMA = "alphaadam-speed-1"


@dataclass(frozen=True)
class Speed:
    """One file of step times beside the framework's AdamW."""

    framework: str


def load_speed(path: Path, complain: Callable[[Path, str], None]) -> Speed:
    """Reads one file."""
    return Speed(path.stem)
