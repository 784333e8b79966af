"""Reads what `python -m suite run` wrote: what each implementation made of each case."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reports.sources.conformance_results import Case, Result, outcomes_of
from reports.sources.error import SourceError
from reports.sources.fields import number, read_object, words
from reports.sources.grouped import Grouped
from reports.sources.origin import Origin

CONFORMANCE_SCHEMAS = ("alphaadam-conformance-1", "alphaadam-conformance-2", "alphaadam-conformance-3")
AGAIN = "Make it again with `python -m suite run`."

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Adapter:
    """One implementation under test.

    Attributes:
        name: as on the suite's command line.
        versions: of the implementation and of what it runs on.
        optimizers: those that it offers: it was asked for their cases alone. None where it could not say.
        error: why it could not be started, or not again after a crash; "" where it could.
    """

    name: str
    versions: dict[str, str]
    optimizers: frozenset[str] | None
    error: str = ""

    def asked(self, optimizer: str) -> bool:
        """Whether cases of this optimizer were for it."""
        return self.optimizers is None or optimizer in self.optimizers


@dataclass(frozen=True)
class VectorFile:
    """A file of cases: its name, digest and number of tests, and the optimizer that it speaks of ("" if unknown)."""

    name: str
    sha256: str
    optimizer: str
    tests: int


@dataclass(frozen=True)
class Conformance:
    """One file of results.

    Attributes:
        path: the file.
        created: when it ran, as written in the file; "" where it does not say.
        commit: the commit that was tested; "" where the run did not know.
        machine: where it ran.
        specification: the version of the specification.
        files: the vector files.
        unusable: what is wrong with vector files that could not be used.
        only: the pattern that the ids of its cases fit, "*" for all.
        flag: the flag that all its cases have; "" for all.
        fail_fast: whether each adapter ended with its first failure.
        adapters: in the order of the run.
        results: in the order of the run, one per case and adapter.
    """

    path: Path
    created: str
    commit: str
    machine: dict[str, str]
    specification: str
    files: tuple[VectorFile, ...]
    unusable: tuple[str, ...]
    only: str
    flag: str
    fail_fast: bool
    adapters: tuple[Adapter, ...]
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """The file's name and that of its folder."""
        return words(self.path.name if self.path.parent.name == "" else f"{self.path.parent.name}/{self.path.name}")

    @cached_property
    def by_case(self) -> dict[Case, dict[str, Result]]:
        """The results of each case, by adapter."""
        cases: dict[Case, dict[str, Result]] = {}
        for result in self.results:
            cases.setdefault(result.case, {})[result.adapter] = result
        return cases

    def missing(self, case: Case, adapter: Adapter) -> str:
        """Why an adapter has no result of a case: "" where it was not asked for one."""
        if not adapter.asked(case.optimizer):
            return ""
        if adapter.error:
            has_any = any(adapter.name in results for results in self.by_case.values())
            return "it crashed and did not start again" if has_any else "it did not start"
        return "the run was to end with its first failure" if self.fail_fast else "the file does not hold it"

    def untested(self) -> list[str]:
        """What this run did not test, in words; vector files that could not be used are in `unusable`."""
        reached: dict[str, int] = {}
        for case in self.by_case:
            reached[case.file] = reached.get(case.file, 0) + 1
        gaps = []
        if self.only != "*":
            gaps.append(f"tests whose id does not fit {self.only}")
        if self.flag:
            gaps.append(f"tests without the flag {self.flag}")
        offered = {name for adapter in self.adapters for name in adapter.optimizers or ()}
        for file in self.files:
            count = reached.get(file.name, 0)
            if not count and file.optimizer and file.optimizer not in offered:
                gaps.append(f"{file.name} ({file.tests} tests of {file.optimizer}, which no adapter here offers)")
            elif count < file.tests:
                gaps.append(f"{file.tests - count} of the {file.tests} tests of {file.name}")
        return gaps

    def command(self) -> str:
        """The suite's command line for the same run."""
        command = ["python", "-m", "suite", "run"]
        for adapter in self.adapters:
            command += ["--adapter", adapter.name]
        command += ["--only", self.only] if self.only != "*" else []
        command += ["--flag", self.flag] if self.flag else []
        command += ["--fail-fast"] if self.fail_fast else []
        return shlex.join(command)

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
        return Origin(
            f"Conformance: {self.name}",
            [(what, value or "the file does not say") for what, value in facts],
            self.command(),
        )


def versions_in_words(adapter: Adapter) -> str:
    """What an adapter's versions are, and why it could not be started."""
    versions = ", ".join(f"{name} {version}" for name, version in adapter.versions.items())
    return ". ".join(filter(None, (versions, adapter.error)))


def load_conformance(path: Path, complain: Complain) -> Conformance:
    """Reads one file. A result, adapter or vector file that is broken is left out and named.

    Raises:
        SourceError: It is no such file, or holds no list of results.
    """
    data = read_object(path, *CONFORMANCE_SCHEMAS)
    for key in ("results", "adapters"):
        if not isinstance(data.get(key), list):
            raise SourceError(f"It has no list of {key}. {AGAIN}")
    grouped = Grouped()
    results = outcomes_of(data["results"], grouped)
    adapters = adapters_of(data["adapters"], results, data["schema"] != CONFORMANCE_SCHEMAS[0], grouped)
    suite = object_of(data.get("suite"), "suite", grouped)
    selection = data.get("selection")
    selection = selection if isinstance(selection, dict) else {}  # files of the first version have none
    conformance = Conformance(
        path=path,
        created=words(data.get("created")),
        commit=words(data.get("commit")),
        machine=texts_of(data.get("machine"), "machine", grouped),
        specification=words(suite.get("specVersion")),
        files=vector_files(suite.get("files"), grouped),
        unusable=sentences(suite.get("unusable", []), grouped),
        only=words(selection.get("only"), "*"),
        flag=words(selection.get("flag")),
        fail_fast=selection.get("failFast") is True,
        adapters=adapters,
        results=results,
    )
    for reason in grouped.sentences():
        complain(path, reason)
    return conformance


def adapters_of(entries: list, results: tuple[Result, ...], says: bool, grouped: Grouped) -> tuple[Adapter, ...]:
    """Those that the file lists, and those that it only has results of."""
    offered: dict[str, set[str]] = {}
    for result in results:
        offered.setdefault(result.adapter, set()).add(result.case.optimizer)
    adapters: dict[str, Adapter] = {}
    for place, entry in enumerate(entries):
        name = words(entry.get("name")) if isinstance(entry, dict) else ""
        if not name or name in adapters:
            problem = f"a second entry of {name}" if name else "it has no name"
            grouped.add("left out, " + problem, f"adapters[{place}]")
            continue
        error, optimizers = words(entry.get("error")), entry.get("optimizers")
        if says and isinstance(optimizers, list) and optimizers:
            known: frozenset[str] | None = frozenset(map(words, filter(_is_text, optimizers)))
        else:  # files of the first version do not say; one that ended early might have been asked for more
            known = None if error else frozenset(offered.get(name, ()))
        versions = texts_of(entry.get("versions"), f"versions of {name}", grouped)
        adapters[name] = Adapter(name, versions, known, error)
    for name in sorted(set(offered) - set(adapters)):
        grouped.add(f"adapter {name} has results and is not listed: its versions are unknown", "adapters")
        adapters[name] = Adapter(name, {}, frozenset(offered[name]))
    return tuple(adapters.values())


def vector_files(entries: object, grouped: Grouped) -> tuple[VectorFile, ...]:
    """The vector files that a file lists."""
    files = []
    for place, entry in enumerate(entries if isinstance(entries, list) else [None]):
        name = words(entry.get("name")) if isinstance(entry, dict) else ""
        tests = number(entry.get("numberOfTests")) if isinstance(entry, dict) else None
        if isinstance(entry, dict) and name and tests is not None and tests >= 0:
            files.append(VectorFile(name, words(entry.get("sha256")), words(entry.get("optimizer")), int(tests)))
        else:
            grouped.add("left out, it is no vector file with a name and a number of tests", f"suite.files[{place}]")
    return tuple(files)


def sentences(reasons: object, grouped: Grouped) -> tuple[str, ...]:
    """What is wrong with vector files that could not be used."""
    if isinstance(reasons, list) and all(map(_is_text, reasons)):
        return tuple(map(words, reasons))
    grouped.add("it is no list of sentences", "suite.unusable")
    return ()


def object_of(value: object, what: str, grouped: Grouped) -> dict:
    """An object; an empty one where there is none."""
    if isinstance(value, dict):
        return value
    grouped.add("it is missing, or no object", what)
    return {}


def texts_of(value: object, what: str, grouped: Grouped) -> dict[str, str]:
    """An object of names and texts; what is no text is left out."""
    texts = {}
    for name, text in object_of(value, what, grouped).items():
        if _is_text(text):
            texts[words(name)] = words(text)
        else:
            grouped.add(f"left out of {what}, it is no text", words(name))
    return texts


def _is_text(value: object) -> bool:
    return isinstance(value, str)
