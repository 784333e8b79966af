"""Reads the folder that `python -m bench gpu` wrote: its summary, the step of every optimizer, and the trainings.

The step times in the same folder are files of their own, which `reports.sources.speed` reads.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.sources.error import SourceError
from reports.sources.fields import amount, count, number, read_object, words
from reports.sources.origin import Origin

GPU_SCHEMA = "alphaadam-gpu-1"
TRAINING_SCHEMA = "alphaadam-trial-1"
SUMMARY, OPTIMIZERS = "summary.json", "optimizers.json"
FINISHED = "finished"

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Part:
    """A process of the run: how it ended, and the end of what it printed where it failed."""

    name: str
    command: str
    outcome: str
    seconds: float | None
    output: str


@dataclass(frozen=True)
class OptimizerStep:
    """The step of one optimizer in PyTorch beside AdamW's.

    Attributes:
        name: of the optimizer.
        missing: why there are no numbers; "" where there are.
        seconds: median of its steps.
        ratio: median of the ratios to AdamW's steps.
        spread: distance between the quartiles of these.
        state_bytes: what it keeps from step to step.
    """

    name: str
    missing: str = ""
    seconds: float | None = None
    ratio: float | None = None
    spread: float | None = None
    state_bytes: float | None = None


@dataclass(frozen=True)
class Training:
    """One training, as far as the time let it come; `loss` is that of its last batch."""

    task: str
    framework: str
    optimizer: str
    steps: float | None
    seconds: float | None
    loss: float | None


@dataclass(frozen=True)
class Gpu:
    """Everything of one run on one machine.

    Attributes:
        path: its summary.
        gpu: what the driver says of it; "" where there is none, and the command was only tried.
        machine: processor and cores in words.
        commit: the code.
        changed: number of files that differed from the commit.
        started: when.
        versions: of the frameworks, in words.
        parts: in the order in which they ran.
        shapes: of the tensors that the optimizers stepped on.
        optimizers: their steps.
        trainings: in the order of their files' names.
    """

    path: Path
    gpu: str
    machine: str
    commit: str
    changed: int
    started: str
    versions: str
    parts: tuple[Part, ...]
    shapes: str
    optimizers: tuple[OptimizerStep, ...]
    trainings: tuple[Training, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return words(self.path.parent.name)

    def origin(self) -> Origin:
        """Machine, GPU, versions and commit, and the command."""
        changed = f" with {self.changed} changed files" if self.changed else ""
        facts = [
            ("folder", self.name),
            ("GPU", self.gpu or "none: the command was tried without one"),
            ("machine", self.machine),
            ("versions", self.versions),
            ("commit", f"{self.commit}{changed}" if self.commit else ""),
            ("started", self.started),
            *((f"part “{part.name}”", f"{part.command} ({part.outcome})") for part in self.parts),
        ]
        command = "python -m bench gpu" if self.gpu else "python -m bench gpu --device cpu"
        return Origin("python -m bench gpu", [(what, text or "the file does not say") for what, text in facts], command)


def files_of(folder: Path) -> set[Path]:
    """The files of a folder that `load_gpu` reads together with its summary, if the folder holds one."""
    if _schema(folder / SUMMARY) != GPU_SCHEMA:
        return set()
    return {path for path in folder.glob("*.json") if path.name == OPTIMIZERS or _schema(path) == TRAINING_SCHEMA}


def load_gpu(path: Path, complain: Complain) -> Gpu:
    """Reads a summary and what belongs to it.

    Raises:
        SourceError: The summary cannot be read, or names no parts.
    """
    data = read_object(path, GPU_SCHEMA)
    if not isinstance(data.get("parts"), list):
        raise SourceError("It has no list of parts. Make it again with `python -m bench gpu`.")
    parts = []
    for place, record in enumerate(data["parts"]):
        if isinstance(record, dict) and words(record.get("name")) and words(record.get("outcome")):
            parts.append(
                Part(
                    name=words(record["name"]),
                    command=words(record.get("command")),
                    outcome=words(record["outcome"]),
                    seconds=amount(record.get("seconds")),
                    output=words(record.get("output")),
                )
            )
        else:
            complain(path, f"parts[{place}] has no name and outcome.")
    shapes, optimizers = _optimizers(path.with_name(OPTIMIZERS), complain)
    machine = _object(data.get("machine"))
    cores = amount(machine.get("cores"))
    changed = data.get("changedFiles")
    return Gpu(
        path=path,
        gpu=words(data.get("gpu")),
        machine=", ".join(filter(None, [words(machine.get("processor")), "" if cores is None else f"{cores:g} cores"])),
        commit=words(data.get("commit")),
        changed=len(changed) if isinstance(changed, list) else 0,
        started=words(data.get("started")),
        versions=", ".join(f"{words(name)} {words(to, '?')}" for name, to in _object(data.get("versions")).items()),
        parts=tuple(parts),
        shapes=shapes,
        optimizers=optimizers,
        trainings=_trainings(path, complain),
    )


def _optimizers(path: Path, complain: Complain) -> tuple[str, tuple[OptimizerStep, ...]]:
    if not path.exists():  # its part failed before the first optimizer, as the summary says
        return "", ()
    data = _object(_content(path))
    records = data.get("optimizers")
    if not isinstance(records, dict):
        complain(path, "It has no steps of optimizers.")
        return "", ()
    steps = []
    for name, record in records.items():
        if isinstance(record, dict) and words(record.get("missing")):
            steps.append(OptimizerStep(words(name), missing=words(record["missing"])))
            continue
        keys = ("seconds", "ratio", "ratioSpread", "stateBytes")
        found = [amount(record.get(key)) for key in keys] if isinstance(record, dict) else [None] * len(keys)
        if bad := [key for key, value in zip(keys, found, strict=True) if value is None]:
            complain(path, f"{words(name)}: {', '.join(bad)} cannot be read as numbers.")
        steps.append(OptimizerStep(words(name), "", *found))
    return words(data.get("shapes")), tuple(steps)


def _trainings(summary: Path, complain: Complain) -> tuple[Training, ...]:
    trainings = []
    for path in sorted(files_of(summary.parent)):
        data = _object(_content(path))
        if data.get("schema") != TRAINING_SCHEMA:
            continue
        losses = data.get("trainingLoss")
        loss = number(losses[-1]) if isinstance(losses, list) and losses else None
        if loss is None:
            complain(path, "Its last training loss is missing, or no number.")
        trainings.append(
            Training(
                task=words(data.get("task"), "unnamed"),
                framework=words(data.get("framework"), "unnamed"),
                optimizer=words(data.get("optimizer"), "unnamed"),
                steps=count(data.get("steps")),
                seconds=amount(data.get("seconds")),
                loss=loss,
            )
        )
    return tuple(trainings)


def _schema(path: Path) -> object:
    return _object(_content(path)).get("schema")


def _content(path: Path) -> Any:
    """What a JSON file holds, or None where it holds none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
