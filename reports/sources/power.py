"""Reads what `python -m bench power` wrote: how often a comparison of two commits is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.sources.error import SourceError
from reports.sources.fields import amount, read_object, words
from reports.sources.origin import Origin

POWER_SCHEMA = "alphaadam-power-1"
KINDS = ("null", "planted")
SLOWER, FASTER, UNCHANGED = WORDS = ("slower", "faster", "no change shown")

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Case:
    """What a comparison said of one optimizer on tensors of one size: a word of `WORDS`."""

    framework: str
    optimizer: str
    shapes: str
    word: str


@dataclass(frozen=True)
class Made:
    """A comparison of two versions whose difference is known.

    Attributes:
        method: the command that compared them.
        kind: "null" where they differ in nothing, "planted" where one has slower kernels.
        commit: the code that was compared with itself, or with a slower copy of itself.
        machine: processor, system and cores in words.
        seconds: how long it took, or None where the file does not say.
        cases: what it said.
    """

    method: str
    kind: str
    commit: str
    machine: str
    seconds: float | None
    cases: tuple[Case, ...]

    def is_slowed(self, case: Case) -> bool:
        """Whether the case ran on kernels that were made slower: PyTorch's, which AdamW does not run on."""
        return self.kind == "planted" and case.framework == "torch" and case.optimizer != "adamw"


@dataclass(frozen=True)
class Power:
    """One file of the power experiment."""

    path: Path
    comparisons: tuple[Made, ...]

    def methods(self) -> list[str]:
        """The commands that were tried, in the order of the file."""
        return list(dict.fromkeys(made.method for made in self.comparisons))

    def origin(self) -> Origin:
        """Machines and commits, and the command that makes as many comparisons again."""
        facts = [("file", words(f"{self.path.parent.name}/{self.path.name}"))]
        facts += [("machine", machine) for machine in dict.fromkeys(made.machine for made in self.comparisons)]
        for method in self.methods():
            own = [made for made in self.comparisons if made.method == method]
            counts = " and ".join(f"{self._count(method, kind)} {kind}" for kind in KINDS)
            commits = ", ".join(dict.fromkeys(made.commit for made in own))
            facts += [(method, f"{counts} comparisons"), ("commit", commits or "the file does not say")]
        command = "python -m bench power"
        for method, prefix in (("python -m bench changes", ""), ("asv continuous", "asv-")):
            if method in self.methods():
                command += "".join(f" --{prefix}{kind} {self._count(method, kind)}" for kind in KINDS)
        return Origin("python -m bench power", facts, command)

    def _count(self, method: str, kind: str) -> int:
        return sum((made.method, made.kind) == (method, kind) for made in self.comparisons)


def load_power(path: Path, complain: Complain) -> Power:
    """Reads one file.

    Raises:
        SourceError: It is no such file.
    """
    data = read_object(path, POWER_SCHEMA)
    records = data.get("comparisons")
    if not isinstance(records, list):
        raise SourceError("It has no list of comparisons. Make it again with `python -m bench power`.")
    comparisons: list[Made] = []
    for place, record in enumerate(records):

        def because(reason: str, place: int = place) -> None:
            complain(path, f"comparisons[{place}]: {reason}")

        if (made := _made(record, because)) in comparisons:
            because("It is the same as an earlier one to the last digit of its seconds, and is counted once.")
        elif made:
            comparisons.append(made)
    return Power(path, tuple(comparisons))


def _made(record: Any, because: Callable[[str], None]) -> Made | None:
    if not isinstance(record, dict) or not isinstance(record.get("cases"), list):
        because("It is no comparison with a list of cases.")
        return None
    method, kind = words(record.get("method")), words(record.get("kind"))
    if not method or kind not in KINDS:
        because(f"It names no method, or its kind is none of {' and '.join(KINDS)}.")
        return None
    cases: dict[tuple[str, ...], Case] = {}
    for place, item in enumerate(record["cases"]):
        case = _case(item)
        if case is None:
            because(f"cases[{place}] names no optimizer and shapes, or says none of {', '.join(WORDS)}.")
        elif (key := (case.framework, case.optimizer, case.shapes)) in cases:
            because(f"cases[{place}]: {' '.join(key)} was there before; the first is counted.")
        else:
            cases[key] = case
    seconds = amount(record.get("seconds"))
    if seconds is None:
        because("Its seconds are no number.")
    machine = record.get("machine")
    return Made(
        method=method,
        kind=kind,
        commit=words(record.get("commit")),
        machine=_machine(machine if isinstance(machine, dict) else {}),
        seconds=seconds,
        cases=tuple(cases.values()),
    )


def _case(item: Any) -> Case | None:
    if not isinstance(item, dict):
        return None
    case = Case(*(words(item.get(key)) for key in ("framework", "optimizer", "shapes", "word")))
    return case if case.framework and case.optimizer and case.shapes and case.word in WORDS else None


def _machine(machine: dict[str, Any]) -> str:
    cores = amount(machine.get("cores"))
    parts = [words(machine.get("processor")), "" if cores is None else f"{cores:g} cores", words(machine.get("system"))]
    return ", ".join(filter(None, parts)) or "a machine that the file does not name"
