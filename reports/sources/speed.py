"""Reads what `python -m bench speed` and `python -m bench scaling` wrote."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.sources.error import SourceError
from reports.sources.fields import amount, count, read_object, shown, words
from reports.sources.origin import Origin
from reports.sources.rounds import Quartiles, quartiles, ratios, seconds

SPEED_SCHEMA = "alphaadam-speed-1"
KINDS = ("speed", "scaling")
BUSY = 0.25
"""Cores that other processes keep busy, on average, above which `python -m bench speed` distrusts a step's time too."""

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Environment:
    """What a step was measured with; "" where the file does not say."""

    device: str
    system: str
    cores: str
    threads: str
    source: str
    versions: tuple[tuple[str, str], ...]

    @property
    def machine(self) -> str:
        """What decides how fast a step can be, in words."""
        threads = f"{self.threads} threads on {self.cores} cores" if self.threads and self.cores else ""
        return ", ".join(filter(None, (self.device, threads, self.system))) or "a machine that the file does not name"


NOWHERE = Environment("", "", "", "", "", ())


@dataclass(frozen=True)
class Cell:
    """One step beside AdamW's, on tensors of some shapes. What is None was not measured, or was no number.

    Attributes:
        device: "cpu" or "cuda".
        dtype: of parameters, gradients and state.
        shapes: name of the tensors' shapes.
        variant: optimizer and form of the step, such as "alphaadam-fused".
        missing: why there is no time; "" where there is one.
        pairs: number of pairs of rounds that the ratios are of.
        seconds: of a step.
        shortest: seconds of the fastest step.
        baseline_seconds: of AdamW's step, timed in turn.
        ratio: of both, over pairs of rounds.
        fastest: ratio to the fastest AdamW there is, where the framework's own is not.
        parameters: number of elements.
        tensors: number of tensors.
        parameter_bytes: what the parameters take.
        minimal_bytes: what a step must move.
        state_bytes: what the optimizer keeps from step to step.
        baseline_state_bytes: the same of AdamW.
        transient_bytes: the most that a step allocates for its own time, by the framework's account.
        grown_bytes: how much the process grew during a step, which misses memory that it had already.
        busy: cores that other processes kept busy meanwhile.
        date: when.
        environment: with what.
    """

    device: str
    dtype: str
    shapes: str
    variant: str
    missing: str = ""
    pairs: int = 0
    seconds: Quartiles | None = None
    shortest: float | None = None
    baseline_seconds: Quartiles | None = None
    ratio: Quartiles | None = None
    fastest: Quartiles | None = None
    parameters: float | None = None
    tensors: float | None = None
    parameter_bytes: float | None = None
    minimal_bytes: float | None = None
    state_bytes: float | None = None
    baseline_state_bytes: float | None = None
    transient_bytes: float | None = None
    grown_bytes: float | None = None
    busy: float | None = None
    date: str = ""
    environment: Environment = NOWHERE

    @property
    def disturbed(self) -> bool:
        """Whether other processes disturbed the measurement of a CPU. (Of a GPU they do not.)"""
        return self.device == "cpu" and (self.busy or 0) > BUSY


@dataclass(frozen=True)
class Speed:
    """One file of step times beside the framework's AdamW.

    Attributes:
        path: the file, for messages.
        kind: the command that wrote it, "speed" or "scaling".
        framework: what was measured, such as "keras-jax".
        baseline: the variant that all are measured beside; "adamw-*" is AdamW in the variant's own form.
        cells: in the order of the file.
    """

    path: Path
    kind: str
    framework: str
    baseline: str
    cells: tuple[Cell, ...]

    def baseline_of(self, cell: Cell) -> str:
        """The variant that a cell is measured beside."""
        return self.baseline.replace("*", cell.variant.rpartition("-")[2])

    def origin(self) -> Origin:
        """Machine, versions and code of every cell, and the command that measures them again."""
        facts = [("file", words(f"{self.path.parent.name}/{self.path.name}")), ("step times", f"{len(self.cells)}")]
        for environment in dict.fromkeys(cell.environment for cell in self.cells):
            own = [cell for cell in self.cells if cell.environment == environment]
            dates = sorted({cell.date for cell in own if cell.date})
            facts += [
                ("machine", environment.machine),
                ("versions", ", ".join(f"{name} {version}" for name, version in environment.versions)),
                ("digest of alphaadam's source", environment.source),
                ("measured", " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else ""),
            ]
        return Origin(
            f"{self.framework}: python -m bench {self.kind}",
            [(what, value or "the file does not say") for what, value in facts],
            self._command(),
        )

    def _command(self) -> str:
        def named(option: str, values: list[str]) -> list[str]:
            return [f"--{option}", ",".join(dict.fromkeys(values))] if values else []

        command = ["python", "-m", "bench", self.kind]
        command += ["--frameworks", self.framework] if self.kind == "speed" else []
        command += named("devices", [cell.device for cell in self.cells])
        command += named("shapes", [cell.shapes for cell in self.cells])
        command += named("dtypes", [cell.dtype for cell in self.cells])
        command += named("variants", [cell.variant for cell in self.cells])
        return shlex.join(command)


def load_speed(path: Path, complain: Complain) -> Speed:
    """Reads one file.

    Raises:
        SourceError: It is no such file, or not of a framework and command.
    """
    data = read_object(path, SPEED_SCHEMA)
    kind, framework = words(data.get("kind")), words(data.get("framework"))
    if kind not in KINDS:
        raise SourceError(f"Its kind is {kind!r}; this version reads {' and '.join(KINDS)}.")
    if not framework or not isinstance(data.get("cells"), list):
        raise SourceError(
            f"It names no framework, or has no list of cells. Make it again with `python -m bench {kind}`."
        )
    environments = data.get("environments")
    environments = environments if isinstance(environments, list) else []
    cells: dict[tuple[str, ...], Cell] = {}
    for place, record in enumerate(data["cells"]):

        def because(reason: str, place: int = place) -> None:
            complain(path, f"cells[{place}]: {reason}")

        if not isinstance(record, dict):
            because("It is no object.")
            continue
        names = tuple(words(record.get(key)) for key in ("device", "dtype", "shapes", "variant"))
        if not all(names):
            because("It does not name its device, dtype, shapes and variant.")
        elif names in cells:
            because(f"{' '.join(names)} was there before; the first is shown.")
        else:
            cells[names] = _cell(record, environments, because)
    baseline = words(data.get("baseline"), "adamw-*")
    return Speed(path, kind, framework, baseline, tuple(cells.values()))


def _cell(record: dict[str, Any], environments: list[Any], because: Callable[[str], None]) -> Cell:
    found: dict[str, Any] = {key: words(record[key]) for key in ("device", "dtype", "shapes", "variant")}
    found |= {"date": words(record.get("date")), "environment": _environment(record, environments, because)}
    if "reason" in record:
        return Cell(**found, missing=words(record["reason"], "the file gives no reason"))
    try:
        times = {key: seconds(record, key) for key in ("seconds", "baselineSeconds")}
        to_baseline = ratios(times["seconds"], times["baselineSeconds"])
    except ValueError as error:
        because(str(error))
        return Cell(**found, missing=str(error))
    found |= {
        "pairs": len(to_baseline),
        "seconds": quartiles(times["seconds"]),
        "shortest": min(times["seconds"]),
        "baseline_seconds": quartiles(times["baselineSeconds"]),
        "ratio": quartiles(to_baseline),
    }
    if "fastestSeconds" in record:
        try:
            found["fastest"] = quartiles(ratios(times["seconds"], seconds(record, "fastestSeconds")))
        except ValueError as error:
            because(str(error))
    for key, needed in (
        ("parameters", True),
        ("tensors", True),
        ("parameterBytes", True),
        ("minimalBytes", True),
        ("stateBytes", True),
        ("baselineStateBytes", True),
        ("transientBytes", False),
        ("transientResidentBytes", False),
        ("coresBusyElsewhere", False),
    ):
        value = (amount if key == "coresBusyElsewhere" else count)(record.get(key))
        if value is None and (needed or record.get(key) is not None):
            because(f"{key} is {shown(record[key]) if key in record else 'missing'}, no number.")
        found[_FIELDS.get(key, key)] = value
    return Cell(**found)


_FIELDS = {
    "parameterBytes": "parameter_bytes",
    "minimalBytes": "minimal_bytes",
    "stateBytes": "state_bytes",
    "baselineStateBytes": "baseline_state_bytes",
    "transientBytes": "transient_bytes",
    "transientResidentBytes": "grown_bytes",
    "coresBusyElsewhere": "busy",
}


def _environment(record: dict[str, Any], environments: list[Any], because: Callable[[str], None]) -> Environment:
    place = record.get("environment")
    if type(place) is not int or not 0 <= place < len(environments) or not isinstance(environments[place], dict):
        because(f"It has no environment: {shown(place)} is none of the file's {len(environments)}.")
        return NOWHERE
    chosen = environments[place]
    versions = chosen.get("versions")
    known = versions if isinstance(versions, dict) else {}
    return Environment(
        device=words(chosen.get("device")),
        system=words(chosen.get("system")),
        cores=_count(chosen.get("cores")),
        threads=_count(chosen.get("threads")),
        source=words(chosen.get("alphaadamSource")),
        versions=tuple((words(name), words(version, "?")) for name, version in known.items()),
    )


def _count(value: object) -> str:
    found = amount(value)
    return "" if found is None else f"{found:g}"
