"""Reads what `python -m bench power` wrote: how often a comparison of two commits is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POWER_SCHEMA = "alphaadam-power-1"


@dataclass(frozen=True)
class Power:
    """One file of the power experiment."""

    name: str


def load_power(path: Path, complain: Callable[[Path, str], None]) -> Power:
    """Reads one file."""
    return Power(path.stem)
