"""Reads what `python -m suite agree` wrote: how far two implementations of one optimizer are apart."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reports.sources.conformance import (
    Adapter,
    VectorFile,
    adapters_of,
    object_of,
    sentences,
    texts_of,
    vector_files,
    versions_in_words,
)
from reports.sources.conformance_results import distance
from reports.sources.error import SourceError
from reports.sources.fields import read_object, words
from reports.sources.grouped import Grouped
from reports.sources.origin import Origin

AGREEMENT_SCHEMA = "alphaadam-agreement-1"
COMPARED = ("equal", "apart")
OUTCOMES = (*COMPARED, "skipped", "error")
AGAIN = "Make it again with `python -m suite agree`."

Complain = Callable[[Path, str], None]


class Agreed(NamedTuple):
    """One case of a pair.

    Attributes:
        dtype: of the parameters.
        outcome: one of `OUTCOMES`; equal is bit for bit.
        ulp: the largest distance of a parameter, in units in the last place; None where nothing was compared.
        relative: the same, relative to how far its tensor moved; None also where neither moved.
        reasons: why one of the two is known to deviate from the vectors here, by the name of its adapter.
    """

    dtype: str
    outcome: str
    ulp: float | None
    relative: float | None
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pair:
    """Two implementations of one optimizer in one framework.

    Attributes:
        optimizer: by its name in the vectors.
        framework: by its name in the suite; "" where both are somebody else's.
        adapters: the two.
        cases: in the order of the vectors.
    """

    optimizer: str
    framework: str
    adapters: tuple[Adapter, Adapter]
    cases: tuple[Agreed, ...]

    @property
    def compared(self) -> list[Agreed]:
        """The cases that both implementations took."""
        return [case for case in self.cases if case.outcome in COMPARED]


@dataclass(frozen=True)
class Agreement:
    """One file; its attributes are those of `Conformance`, with pairs in the place of results."""

    path: Path
    created: str
    commit: str
    machine: dict[str, str]
    specification: str
    files: tuple[VectorFile, ...]
    unusable: tuple[str, ...]
    only: str
    flag: str
    adapters: tuple[Adapter, ...]
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """The file's name and that of its folder."""
        return words(f"{self.path.parent.name}/{self.path.name}")

    def origin(self) -> Origin:
        """Commit, machine, versions, and every vector file with its digest."""
        facts = [
            ("file", self.name),
            ("commit", self.commit or "the run did not know"),
            ("run", self.created),
            ("machine", ", ".join(f"{name} {value}" for name, value in self.machine.items())),
            ("specification", self.specification),
            *((f"adapter {one.name}", versions_in_words(one)) for one in self.adapters),
            *((f"vectors {file.name}", f"{file.tests} tests, SHA-256 {file.sha256}") for file in self.files),
            *(("vectors that could not be used", reason) for reason in self.unusable),
        ]
        command = ["python", "-m", "suite", "agree"]
        for adapter in self.adapters:
            command += ["--adapter", adapter.name]
        command += ["--only", self.only] if self.only != "*" else []
        command += ["--flag", self.flag] if self.flag else []
        return Origin(
            f"Agreement: {self.name}",
            [(what, value or "the file does not say") for what, value in facts],
            shlex.join(command),
        )


def load_agreement(path: Path, complain: Complain) -> Agreement:
    """Reads one file. A pair or a case that is broken is left out and named.

    Raises:
        SourceError: It is no such file, or holds no list of pairs or adapters.
    """
    data = read_object(path, AGREEMENT_SCHEMA)
    for key in ("pairs", "adapters"):
        if not isinstance(data.get(key), list):
            raise SourceError(f"It has no list of {key}. {AGAIN}")
    grouped = Grouped()
    adapters = adapters_of(data["adapters"], (), True, grouped)
    suite = object_of(data.get("suite"), "suite", grouped)
    selection = object_of(data.get("selection"), "selection", grouped)
    agreement = Agreement(
        path=path,
        created=words(data.get("created")),
        commit=words(data.get("commit")),
        machine=texts_of(data.get("machine"), "machine", grouped),
        specification=words(suite.get("specVersion")),
        files=vector_files(suite.get("files"), grouped),
        unusable=sentences(suite.get("unusable", []), grouped),
        only=words(selection.get("only"), "*"),
        flag=words(selection.get("flag")),
        adapters=adapters,
        pairs=_pairs(data["pairs"], {adapter.name: adapter for adapter in adapters}, grouped),
    )
    for reason in grouped.sentences():
        complain(path, reason)
    return agreement


def _pairs(entries: list, adapters: dict[str, Adapter], grouped: Grouped) -> tuple[Pair, ...]:
    pairs: dict[tuple[str, ...], Pair] = {}
    for place, entry in enumerate(entries):
        where = f"pairs[{place}]"
        entry = entry if isinstance(entry, dict) else {}
        optimizer, cases = words(entry.get("optimizer")), entry.get("cases")
        named = entry.get("adapters")
        names = tuple(words(name) for name in named) if isinstance(named, list) else ()
        if not optimizer or len(names) != 2 or not set(names) <= adapters.keys() or not isinstance(cases, list):
            grouped.add("left out, it has no optimizer, no two adapters of the list above, or no cases", where)
        elif (optimizer, *names) in pairs:
            grouped.add("left out, these two were compared before", where)
        else:
            found = [_case(case, grouped, f"{where}.cases[{number}]") for number, case in enumerate(cases)]
            pairs[optimizer, *names] = Pair(
                optimizer,
                words(entry.get("framework")),
                (adapters[names[0]], adapters[names[1]]),
                tuple(case for case in found if case),
            )
    return tuple(pairs.values())


def _case(record: Any, grouped: Grouped, where: str) -> Agreed | None:
    outcome = record.get("outcome") if isinstance(record, dict) else None
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        grouped.add(f"left out, its outcome is none of {', '.join(OUTCOMES)}", where)
        return None
    ulp, relative = distance(record.get("largestUlp")), distance(record.get("largestRelative"))
    if outcome in COMPARED and ulp is None:
        grouped.add("left out, it does not say how far the two are apart", where)
        return None
    deviations = record.get("deviations")
    reasons = [
        (words(one.get("adapter")), words(one.get("reason")))
        for one in (deviations if isinstance(deviations, list) else [])
        if isinstance(one, dict)
    ]
    return Agreed(words(record.get("dtype")), outcome, ulp, relative, tuple(reasons))
