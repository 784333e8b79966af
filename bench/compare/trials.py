"""A trial of a comparison: what identifies it, and its record, a file of JSON lines.

A record begins with a header (what was run, where, when and with which code). A line for each step follows, one for
each validation, and a footer with the outcome. A file without a footer is the beginning of a trial that did not end: it
is no result. While a trial runs its record has a temporary name, so a record under its own name is whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine
from bench.parameters import described
from bench.settings import settings_of
from bench.tasks import Task, parameter_shapes
from bench.tasks.execution import Execution

SCHEMA = "alphaadam-trial-record-1"
RUNNING = ".running"
"""End of a record's name while its trial runs."""
UNFINISHED = "unfinished"
"""Folder of the records of trials that did not end."""


@dataclass(frozen=True)
class Trial:
    """One trial: two trials with the same name have the same settings.

    Attributes:
        task: The task. Its learning rates and its own seed play no part.
        task_digest: The digest of the task as it is fixed, that is, with its own seed.
        framework: A name of `bench.names.FRAMEWORKS`.
        optimizer: A name of `bench.names.COMPARED`.
        learning_rate: Peak learning rate.
        seed: Seed of initial weights and batch order.
        validation_percents: When the validation loss is measured, in percent of the budget.
        every: Each so-many-th step is observed.
        directions: Whether gradient correlation and directional sharpness are measured there, too.
        threads: Threads on the CPU; fixed, since rounding depends on them.
        data: Folder of the task's data.
        execution: How the trial is carried out.
    """

    task: Task
    task_digest: str
    framework: str
    optimizer: str
    learning_rate: float
    seed: int
    validation_percents: tuple[int, ...]
    every: int
    directions: bool = False
    threads: int = 1
    data: str | None = None
    execution: Execution = Execution()  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        # Rates that were tuned elsewhere are no setting of a trial, and their read-only view cannot be pickled.
        object.__setattr__(self, "task", replace(self.task, learning_rates={}))

    def __hash__(self) -> int:
        return hash(self.name)

    def settings(self) -> dict[str, Any]:
        """Everything that a result depends on beside code, versions and machine, ready for JSON."""
        own = settings_of(self.optimizer, self.task)
        return {
            "task": self.task.name,
            "taskDigest": self.task_digest,
            "framework": self.framework,
            "optimizer": self.optimizer,
            "learningRate": self.learning_rate,
            "seed": self.seed,
            "steps": self.task.steps,
            "validationPercents": list(self.validation_percents),
            "observedEvery": self.every,
            "directions": self.directions,
            "threads": self.threads,
            "execution": asdict(self.execution),
            **({"optimizerSettings": own} if own else {}),
        }

    @property
    def name(self) -> str:
        """Of its record's file, without the ending. The last part stands for all settings together."""
        text = json.dumps(self.settings(), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.framework}-{self.optimizer}-{self.learning_rate:g}-seed{self.seed}-{digest}"

    def __str__(self) -> str:
        return f"{self.optimizer} {self.learning_rate:g} seed {self.seed}"

    def record_path(self, folder: Path) -> Path:
        """Where the record of the finished trial stands."""
        return folder / f"{self.name}.jsonl"

    def failure_path(self, folder: Path) -> Path:
        """Where it is said that the trial failed."""
        return folder / f"{self.name}.failed.jsonl"


@dataclass(frozen=True)
class Attempt:
    """A trial that is to be run, and what happened when it was tried before.

    Attributes:
        trial: The trial.
        earlier: How each earlier attempt ended, in words.
        code: Commit of the code, see `code_state`.
    """

    trial: Trial
    earlier: tuple[str, ...] = ()
    code: Mapping[str, Any] | None = None

    def header(
        self, versions: Mapping[str, str], place: Mapping[str, Any], source: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The first line of the record.

        Args:
            versions: Of what is run.
            place: Where it runs, beside what the machine says of itself.
            source: Where the optimizer comes from, see `bench.names.source_of`; None where that is not known.
        """
        task = asdict(self.trial.task)
        shapes = parameter_shapes(self.trial.task.model)
        del task["learning_rates"]
        return {
            "kind": "header",
            "schema": SCHEMA,
            **self.trial.settings(),
            "hyperparameters": task.pop("hyperparameters"),
            "taskSettings": task,
            "data": self.trial.data,
            "attempt": len(self.earlier) + 1,
            "earlierAttempts": list(self.earlier),
            "versions": dict(versions),
            "source": None if source is None else dict(source),
            "code": self.code,
            "machine": {
                "name": platform.node(),
                "system": machine.system(),
                "processor": machine.processor(),
                "cores": machine.cores(),
                "device": self.trial.execution.device,
                **place,
            },
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "tensors": list(shapes),
            "takes": described(self.trial.optimizer, shapes),
        }


def code_state() -> dict[str, Any]:
    """The commit of this checkout, and whether tracked files differ from it; both null outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def line_of(content: Mapping[str, Any]) -> str:
    """A line of a record. A number that is not finite is null: JSON has no word for it."""
    return json.dumps(_finite(content), allow_nan=False, separators=(",", ":")) + "\n"


def observed(line: Mapping[str, Any], tensors: Iterable[str]) -> dict[str, Any]:
    """An event of `bench.training.train` as a record keeps it.

    What was seen of each tensor becomes two lists, "maskFraction" and "alpha", in the order of the header's
    "tensors", to four digits: a name in each would be most of the file. Lists of null alone are left out.
    """
    line = dict(line)
    seen = line.pop("tensors", None)
    if seen is not None:
        names = list(tensors)
        if set(seen) != set(names):
            raise RuntimeError(f"tensors {sorted(set(seen) ^ set(names))} are only in the header or only observed")
        for key in ("maskFraction", "alpha"):
            values = [seen[name][key] for name in names]
            if any(value is not None for value in values):
                line[key] = [None if value is None else float(f"{value:.4g}") for value in values]
    return line


def footer_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The last line, from what `bench.training.train` returns."""
    diverged = record["divergedAtStep"]
    done = len(record["trainingLoss"])
    return {
        "kind": "footer",
        "outcome": "finished" if diverged is None else "diverged",
        "divergedAtStep": diverged,
        "steps": done,
        "budgetPercent": round(100 * done / record["steps"], 2),
        "seconds": record["seconds"],
    }


def read_record(path: Path) -> dict[str, Any]:
    """A whole record: {"header", "steps", "validation", "footer"}.

    Raises:
        ValueError: The file is no whole record; the message names it.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        kinds = [line["kind"] for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a trial's record ({error}); delete it and run again") from error
    if kinds[:1] != ["header"] or kinds[-1:] != ["footer"] or not set(kinds[1:-1]) <= {"step", "validation"}:
        raise ValueError(f"{path} is not a whole record of a trial; delete it and run again")
    if lines[0].get("schema") != SCHEMA:
        raise ValueError(f"{path} has the schema {lines[0].get('schema')!r} instead of {SCHEMA!r}; delete it")
    return {
        "header": lines[0],
        "steps": [line for line in lines if line["kind"] == "step"],
        "validation": [line for line in lines if line["kind"] == "validation"],
        "footer": lines[-1],
    }


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a comparison needs of a record: outcome, validation points, attempts, seconds."""
    return {
        "outcome": record["footer"]["outcome"],
        "divergedAtStep": record["footer"].get("divergedAtStep"),
        "error": record["footer"].get("error"),
        "validation": {point["budgetPercent"]: point for point in record["validation"]},
        "attempts": record["header"]["attempt"],
        "seconds": record["footer"].get("seconds"),
        "versions": record["header"]["versions"],
        "code": record["header"]["code"],
        "machine": record["header"]["machine"],
    }


def set_aside(path: Path, reason: str) -> None:
    """Moves the record of a trial that did not end out of the way, with the reason as its last line."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:  # its process finished it, or never began it
        return
    with file:
        file.truncate(file.read().rfind(b"\n") + 1)  # a process that is killed may leave half a line
        file.seek(0, os.SEEK_END)
        file.write(line_of({"kind": "unfinished", "reason": reason}).encode())
    target = path.parent / UNFINISHED
    target.mkdir(exist_ok=True)
    stem = path.name.removeprefix(".").removesuffix(RUNNING)  # it ends with the process that wrote it
    number = 1 + sum(1 for other in target.iterdir() if other.name.startswith(f"{stem}-"))
    os.replace(path, target / f"{stem}-{number}.jsonl")


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return content
