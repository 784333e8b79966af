"""A trial of a comparison: what its record says of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.sources.fields import number

RECORD_SCHEMA = "alphaadam-trial-record-1"
RUNNING = ".running"
"""End of the name of a record whose trial still runs."""
OUTCOMES = ("finished", "diverged", "failed")
NOT_ENDED = "not ended"
TENSORS = ("alpha", "maskFraction")
DIRECTIONS = ("gradientCorrelation", "directionalSharpness")
MOST = 10**9
"""No step and no number of steps is larger."""


LARGEST = 1e18
"""No loss, time or quantity of a step is larger; sums and ratios of larger ones would overflow."""


class Curve(NamedTuple):
    """Numbers at ascending steps; the seconds are those of training alone, NaN where they are missing."""

    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        path: its record.
        header: the record's first line.
        outcome: one of `OUTCOMES`, or `NOT_ENDED`.
        ended: the step at which it diverged, else the last one that is recorded.
        error: why it failed.
        training: the loss of each step's batch.
        validation: the validation losses.
        percents: the part of the budget at each of them.
        directions: by each of `DIRECTIONS` that was recorded.
        tensors: by each of `TENSORS` that was recorded: the observed steps, and a matrix of them by tensors.
    """

    path: Path
    header: dict[str, Any]
    outcome: str
    ended: int
    error: str
    training: Curve
    validation: Curve
    percents: NDArray[np.float64]
    directions: dict[str, Curve]
    tensors: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]

    @property
    def task(self) -> str:
        return self.header["task"]

    @property
    def framework(self) -> str:
        return self.header["framework"]

    @property
    def optimizer(self) -> str:
        return self.header["optimizer"]

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return float(self.header["learningRate"])

    @property
    def seed(self) -> int:
        return self.header["seed"]

    @property
    def budget(self) -> int:
        """Steps of the task."""
        return self.header["steps"]

    @property
    def settings(self) -> str:
        """What all trials of one comparison have in common."""
        return settings(self.header)

    def setting(self, *keys: str) -> Any:
        """What the header says under the key, or under keys within one another; None where it says nothing."""
        found: Any = self.header
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def loss_at(self, percent: float) -> float | None:
        """The validation loss at that part of the budget, where it was reached."""
        found = self.validation.values[self.percents == percent]
        return float(found[0]) if len(found) else None


def sensible(value: object) -> float | None:
    """A JSON value as a number that can be computed with, or None for anything else."""
    found = number(value)
    return found if found is not None and abs(found) <= LARGEST else None


def settings(described: dict[str, Any]) -> str:
    """The settings that trials of one comparison share, from a record's header or from the comparison itself."""
    keys = ("task", "taskDigest", "framework", "steps", "observedEvery", "directions", "threads")
    execution = described.get("execution")
    return repr([_scalar(described.get(key)) for key in keys]) + repr(
        sorted((key, _scalar(value)) for key, value in execution.items()) if isinstance(execution, dict) else None
    )


def _scalar(value: object) -> object:
    return None if isinstance(value, dict | list) else value
