"""Reads the record of one trial of a comparison: JSON lines, of a trial that ended or of one that still runs.

A record is a header, a line for each step and each validation, and a footer. Of a broken record everything is kept that
can be, and what is left out is said.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.sources.error import SourceError
from reports.sources.fields import is_whole, number, shortened, shown
from reports.sources.trials import (
    DIRECTIONS,
    MOST,
    NOT_ENDED,
    OUTCOMES,
    RECORD_SCHEMA,
    RUNNING,
    TENSORS,
    Curve,
    Trial,
    sensible,
)


def load_trial(path: Path, complain: Callable[[Path, str], None]) -> Trial:
    """Reads one record.

    Raises:
        SourceError: Nothing in it can be used.
    """
    trouble: list[str] = []
    lines = list(_lines(path, trouble))
    if not lines or lines[0][1].get("kind") != "header":
        raise SourceError("It is no record of a trial: it does not begin with a header. Delete it, and compare again.")
    header = _checked(lines[0][1])
    content = _Content(header, trouble)
    for at, line in lines[1:]:
        content.take(at, line)
    trial = content.trial(path)
    if trouble:
        more = f" There are {len(trouble) - 3} more such lines." if len(trouble) > 3 else ""
        complain(path, f"{' '.join(trouble[:3])}{more} The rest of the record is used.")
    return trial


def _lines(path: Path, trouble: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        raw = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SourceError(f"It cannot be read ({error.strerror}).") from error
    for at, text in enumerate(raw, 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            # While a trial runs, its last line may be half written.
            if at < len(raw) or not path.name.endswith(RUNNING):
                what = "is half a line" if at == len(raw) else f"is no JSON ({error})"
                trouble.append(f"Line {at} {what}.")
            continue
        if isinstance(line, dict):
            yield at, line
        else:
            trouble.append(f"Line {at} is no object.")


def _checked(header: dict[str, Any]) -> dict[str, Any]:
    if header.get("schema") != RECORD_SCHEMA:
        raise SourceError(f"Its schema is {shown(header.get('schema'))}; this version reads {RECORD_SCHEMA!r}.")
    for key in ("task", "taskDigest", "framework", "optimizer"):
        if not isinstance(header.get(key), str):
            raise SourceError(f"Its header has no text under {key!r}.")
        header[key] = shortened(header[key])
    if (number(header.get("learningRate")) or 0) <= 0:
        raise SourceError("Its header has no number > 0 under 'learningRate'.")
    for key, least, most in (("seed", 0, 2**63), ("steps", 1, MOST)):
        if not is_whole(header.get(key), least, most):
            raise SourceError(f"Its header has no whole number under {key!r}.")
    return header


class _Content:
    """Collects the lines of a record."""

    def __init__(self, header: dict[str, Any], trouble: list[str]) -> None:
        names = header.get("tensors")
        self.header = header
        self.trouble = trouble
        self.tensor_count = len(names) if isinstance(names, list) else 0
        self.steps: dict[int, tuple[float, float]] = {}
        self.validation: dict[float, tuple[int, float, float]] = {}
        self.directions: dict[str, dict[int, tuple[float, float]]] = {}
        self.tensors: dict[str, dict[int, list[float]]] = {}
        self.footer: dict[str, Any] | None = None
        self.not_finite: int | None = None

    def take(self, at: int, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if self.footer is not None:
            self.trouble.append(f"Line {at} stands after the footer.")
        elif kind == "footer":
            self.footer = line
        elif kind == "unfinished":
            pass  # says why a record was set aside
        elif kind not in ("step", "validation"):
            self.trouble.append(f"Line {at} is of the kind {shown(kind)}, which is unknown here.")
        elif not is_whole(line.get("step"), 1, self.header["steps"]):
            self.trouble.append(f"Line {at} has the step {shown(line.get('step'))}, which the budget does not have.")
        elif "loss" not in line:
            self.trouble.append(f"Line {at} has no loss.")
        elif sensible(line["loss"]) is None:
            self.trouble.append(f"Line {at} has the loss {shown(line['loss'])}, which is no number to compute with.")
            if line["loss"] is None or (isinstance(line["loss"], float) and not math.isfinite(line["loss"])):
                self.not_finite = min(line["step"], self.not_finite or MOST)
        elif kind == "step":
            self._take_step(at, line)
        else:
            self._take_validation(at, line)

    def _take_step(self, at: int, line: dict[str, Any]) -> None:
        step, seconds = line["step"], _seconds(line)
        if step in self.steps:
            self.trouble.append(f"Line {at} repeats step {step}; the first is used.")
            return
        self.steps[step] = (seconds, float(line["loss"]))
        for key in DIRECTIONS:
            # A step of length 0 has no direction: null is no mistake.
            if line.get(key) is None:
                continue
            value = sensible(line[key])
            if value is None:
                self.trouble.append(f"Line {at} has {key} {shown(line[key])}, which is no number to compute with.")
            else:
                self.directions.setdefault(key, {})[step] = (seconds, value)
        for key in TENSORS:
            if key not in line:
                continue
            if not isinstance(line[key], list) or len(line[key]) != self.tensor_count:
                self.trouble.append(f"Line {at} has {key} for other tensors than the header names.")
                continue
            values = [sensible(value) for value in line[key]]
            if any(value is None and given is not None for value, given in zip(values, line[key], strict=True)):
                self.trouble.append(f"Line {at} has a value of {key} that is no number to compute with.")
            self.tensors.setdefault(key, {})[step] = [math.nan if value is None else value for value in values]

    def _take_validation(self, at: int, line: dict[str, Any]) -> None:
        percent = number(line.get("budgetPercent"))
        if percent is None or not 0 <= percent <= 100:
            self.trouble.append(f"Line {at} has the budgetPercent {shown(line.get('budgetPercent'))}.")
        elif percent in self.validation:
            self.trouble.append(f"Line {at} repeats the validation at {percent:g} %; the first is used.")
        else:
            self.validation[percent] = (line["step"], _seconds(line), float(line["loss"]))

    def trial(self, path: Path) -> Trial:
        outcome, ended, error = self._outcome(path)
        # What a record holds beyond the step at which its trial diverged, nobody can have trained.
        before = ended if outcome == "diverged" else MOST
        points = sorted((point, percent) for percent, point in self.validation.items() if point[0] <= before)
        rows = np.array([point for point, _ in points], float).reshape(-1, 3)
        return Trial(
            path,
            self.header,
            outcome,
            ended,
            error,
            _curve(self.steps, before),
            Curve(rows[:, 0].astype(np.int64), rows[:, 1], rows[:, 2]),
            np.array([percent for _, percent in points], float),
            {key: _curve(values, before) for key, values in self.directions.items()},
            {key: _matrix(values) for key, values in self.tensors.items()},
        )

    def _outcome(self, path: Path) -> tuple[str, int, str]:
        """The outcome, the step that `Trial.ended` is, and the error."""
        last = max(self.steps, default=0)
        footer = self.footer or {}
        outcome, error = footer.get("outcome"), footer.get("error")
        if self.footer is None:
            outcome = NOT_ENDED
            if not path.name.endswith(RUNNING):
                self.trouble.append("It has no footer: its trial did not end, or the end of the file is lost.")
        elif not isinstance(outcome, str) or outcome not in OUTCOMES:
            self.trouble.append(f"Its outcome is {shown(outcome)} instead of {', '.join(OUTCOMES)}.")
            outcome = NOT_ENDED
        said = footer.get("divergedAtStep") if outcome == "diverged" else None
        at = [step for step in (said, self.not_finite) if step is not None and is_whole(step, 1)]
        if outcome == "diverged" or (self.not_finite is not None and outcome != "failed"):
            return "diverged", min(at, default=last), ""
        return str(outcome), last, error if isinstance(error, str) else ""


def _seconds(line: dict[str, Any]) -> float:
    seconds = sensible(line.get("seconds"))
    return math.nan if seconds is None or seconds < 0 else seconds


def _curve(values: dict[int, tuple[float, float]], before: int) -> Curve:
    steps = sorted(step for step in values if step <= before)
    pairs = np.array([values[step] for step in steps], float).reshape(-1, 2)
    return Curve(np.array(steps, np.int64), pairs[:, 0], pairs[:, 1])


def _matrix(values: dict[int, list[float]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps = sorted(values)
    return np.array(steps, np.int64), np.array([values[step] for step in steps], float)
