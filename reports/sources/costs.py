"""Reads what `python -m bench costs` wrote: what each optimizer of a framework keeps, and how long its step takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reports.sources.error import SourceError
from reports.sources.fields import amount, count, read_object, words
from reports.sources.origin import Origin

COSTS_SCHEMA = "alphaadam-costs-1"
AGAIN = "Make it again with `python -m bench costs`."

Complain = Callable[[Path, str], None]


class Ratio(NamedTuple):
    """Quartiles of the quotients of a step's time and AdamW's."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class Cost:
    """One optimizer.

    Attributes:
        missing: why there are no figures; "" where there are.
        library: where it comes from, and its version.
        version: of that.
        takes: the rule by which it takes tensors, in words.
        state_bytes: what it keeps, per parameter of the model.
        ratio: of its step's time to AdamW's.
        amortised_over: the number of steps that each figure is the mean of.
        date: when it was measured.
    """

    missing: str = ""
    library: str = ""
    version: str = ""
    takes: str = ""
    state_bytes: float | None = None
    ratio: Ratio | None = None
    amortised_over: float | None = None
    date: str = ""


@dataclass(frozen=True)
class Costs:
    """One file.

    Attributes:
        path: the file.
        framework: what was measured.
        task: whose model's tensors were stepped on.
        parameters: of that model.
        baseline: whose step is 1.
        optimizers: by name, in the order of the file.
        environments: machines and versions, in words.
        libraries: what had a version there.
    """

    path: Path
    framework: str
    task: str
    parameters: float | None
    baseline: str
    optimizers: Mapping[str, Cost]
    environments: tuple[str, ...]
    libraries: frozenset[str]

    def origin(self) -> Origin:
        """Machines, versions, and the command."""
        facts = [
            ("file", words(f"{self.path.parent.name}/{self.path.name}")),
            *(("measured with", environment) for environment in self.environments),
            *(("measured on", date) for date in sorted({cost.date for cost in self.optimizers.values() if cost.date})),
        ]
        task = "" if self.task == "gpt2-nano" else f" --task {self.task}"
        return Origin(
            f"Costs: {self.framework}, {self.task}", facts, f"python -m bench costs --framework {self.framework}{task}"
        )


def load_costs(path: Path, complain: Complain) -> Costs:
    """Reads one file. An optimizer that cannot be read is left out and named.

    Raises:
        SourceError: It is no such file.
    """
    data = read_object(path, COSTS_SCHEMA)
    framework, task, entries = words(data.get("framework")), words(data.get("task")), data.get("optimizers")
    if not framework or not task or not isinstance(entries, dict):
        raise SourceError(f"It names no framework, task or optimizers. {AGAIN}")
    optimizers = {}
    for name, entry in entries.items():
        cost = _cost(entry)
        if cost is None:
            complain(path, f"optimizers: {words(name)[:60]!r} is left out, it has neither all figures nor a reason.")
        else:
            optimizers[words(name)] = cost
    listed = data.get("environments")
    environments = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return Costs(
        path,
        framework,
        task,
        amount(data.get("parameters")),
        words(data.get("baseline"), "adamw"),
        optimizers,
        tuple(map(_in_words, environments)),
        frozenset(
            words(name) for item in environments if isinstance(item.get("versions"), dict) for name in item["versions"]
        ),
    )


def _cost(entry: Any) -> Cost | None:
    if not isinstance(entry, dict):
        return None
    date = words(entry.get("date"))
    if reason := words(entry.get("reason")):
        return Cost(missing=reason, date=date)
    source, takes, ratio = (entry.get(key) for key in ("source", "takes", "ratio"))
    if not isinstance(source, dict) or not isinstance(takes, dict) or not isinstance(ratio, dict):
        return None
    quartiles = [amount(ratio.get(key)) for key in ("lower", "median", "upper")]
    state_bytes = amount(entry.get("stateBytesPerParameter"))
    lower, median, upper = quartiles
    if lower is None or median is None or upper is None or not lower <= median <= upper or state_bytes is None:
        return None
    return Cost(
        library=words(source.get("library")),
        version=words(source.get("version")),
        takes=words(takes.get("rule")),
        state_bytes=state_bytes,
        ratio=Ratio(lower, median, upper),
        amortised_over=count(entry.get("amortisedOver")),
        date=date,
    )


def _in_words(environment: dict[str, Any]) -> str:
    parts = []
    for key, value in environment.items():
        if isinstance(value, dict):
            parts += [f"{words(name)} {words(item)}" for name, item in value.items() if isinstance(item, str)]
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            parts.append(f"{words(key)} {words(str(value))}")
    return ", ".join(parts)
