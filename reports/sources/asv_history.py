"""Reads asv's results folder: everything that was measured, commit by commit, on each machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asv.machine import Machine

from reports.names import FRAMEWORKS, framework_label, in_order
from reports.sources.asv_descriptions import load_descriptions
from reports.sources.asv_file import ResultFile, load_asv_json, load_result_file
from reports.sources.asv_results import AsvResults, Description, commit_results, literal, measured_value, recorded
from reports.sources.error import SourceError
from reports.sources.fields import words
from reports.sources.origin import Origin
from reports.sources.problems import Problem, load_problems
from reports.sources.repository import NO_REPOSITORY, Known, Repository

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Commit:
    """One commit.

    Attributes:
        name: its full hash.
        date: as asv records it: when its author wrote it.
        subject: the first line of its message; empty where it is not known.
        link: where it is shown; empty where no address is configured.
    """

    name: str
    date: datetime
    subject: str
    link: str


@dataclass(frozen=True)
class Series:
    """One benchmark with one set of parameters in one framework, over all commits of its history.

    Attributes:
        benchmark: its name.
        unit: of the values.
        framework: as the environment names it.
        parameters: (name, value) of each parameter, the optimizer included.
        values: one per commit, None where it is missing.
        missing: why, by the number of the commit: a key of `MISSING`.
    """

    benchmark: str
    unit: str
    framework: str
    parameters: tuple[tuple[str, str], ...]
    values: tuple[float | None, ...]
    missing: dict[int, str]

    @property
    def optimizer(self) -> str:
        """The optimizer that it measures; empty for a benchmark of something else."""
        return dict(self.parameters).get("optimizer", "")


@dataclass(frozen=True)
class History:
    """What asv measured on one machine, commit by commit.

    Attributes:
        name: the machine's name.
        machine: what its machine.json says.
        commits: the oldest first.
        series: what was measured, each over all commits.
        environments: the environment of each framework at each commit; empty where it was not measured.
        problems: what could not be measured, and why.
        newest: the newest commit alone.
    """

    name: str
    machine: dict[str, str]
    commits: tuple[Commit, ...]
    series: tuple[Series, ...]
    environments: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...]
    newest: AsvResults

    def origin(self) -> Origin:
        """Where the numbers come from."""
        first, last = self.commits[0], self.commits[-1]
        facts = [(key, value) for key, value in sorted(self.machine.items()) if key != "machine"]
        for what, commit in (("first commit", first), ("newest commit", last)):
            facts.append((what, f"{commit.name}, {commit.date:%Y-%m-%d %H:%M} UTC"))
        facts.append(("commits", str(len(self.commits))))
        facts.append(("last measured", f"{self.newest.measured:%Y-%m-%d %H:%M} UTC"))
        for environment in self.newest.environments:
            versions = [f"{name} {version}" for name, version in environment.versions.items()]
            variables = [f"{name}={value}" for name, value in environment.variables.items()]
            text = ", ".join([f"Python {environment.python}", *versions, *variables])
            facts.append((f"{framework_label(environment.framework)} at the newest commit", text))
        return Origin(f"asv on {self.name}", facts, f"python -m bench track {last.name}")


def load_asv(folder: Path, complain: Complain, repository: Repository = NO_REPOSITORY) -> list[History]:
    """Reads asv's results folder: a history for each machine, the one that measured last first.

    asv's own `iter_results` leaves a broken file out with a log message. A report must not lose results silently,
    so every file is read here, and what cannot be used is complained about.

    Args:
        folder: The folder with benchmarks.json.
        complain: Takes the path of what cannot be used, and why.
        repository: What knows the commits' subjects.

    Raises:
        SourceError: No result file in it can be used.
    """
    machines: dict[Path, list[ResultFile]] = {}
    for path in sorted(folder.glob("*/*.json")):
        if path.name == "machine.json":
            continue
        try:
            file = load_result_file(path, complain)
            _check(file)
        except SourceError as error:
            complain(path, str(error))
        else:
            machines.setdefault(path.parent, []).append(file)
    files = [file for several in machines.values() for file in several]
    if not files:
        raise SourceError("No result file in it can be used. Measure with `python -m bench track`.")
    descriptions = load_descriptions(folder / "benchmarks.json", files, complain)
    known = repository.known({file.commit for file in files})
    last_first = sorted(machines, key=lambda machine: max(file.measured for file in machines[machine]), reverse=True)
    return [
        _history(machine, machines[machine], descriptions, _commits(machines[machine], known, repository), complain)
        for machine in last_first
    ]


def _check(file: ResultFile) -> None:
    """Raises SourceError if a file is not what its place says, or does not say what it measures."""
    if file.machine != file.path.parent.name:
        raise SourceError(
            f"It is of machine {file.machine!r}, in the folder of another. Merge it with `python -m bench merge`."
        )
    if not file.framework:
        raise SourceError("It does not say which framework it measures (BENCH_FRAMEWORK in its env_vars).")


def _commits(files: Iterable[ResultFile], known: dict[str, Known], repository: Repository) -> tuple[Commit, ...]:
    """The commits of these files in git's order, or by date where git does not know all of them."""
    dates = {file.commit: file.date for file in files}
    if dates.keys() <= known.keys():
        names = sorted(dates, key=lambda name: known[name].position)
    else:
        names = sorted(dates, key=lambda name: (dates[name], name))
    return tuple(
        Commit(name, dates[name], known[name].subject if name in known else "", repository.link(name)) for name in names
    )


def _history(
    folder: Path,
    files: list[ResultFile],
    descriptions: list[Description],
    commits: tuple[Commit, ...],
    complain: Complain,
) -> History:
    chosen = _chosen(folder, files, complain)
    machine = {"machine": words(folder.name), **_machine(folder / "machine.json", complain)}
    frameworks = in_order(chosen, FRAMEWORKS)
    newest = {name: chosen[name][commits[-1].name] for name in frameworks if commits[-1].name in chosen[name]}
    found: list[Series] = []
    for framework in frameworks:
        in_turn = [chosen[framework].get(commit.name) for commit in commits]
        for description in descriptions:
            found += _series(framework, description, in_turn)
            outdated = [file for file in in_turn if file and recorded(file, description)[1] == "outdated"]
            if outdated:
                complain(
                    folder,
                    f"{description.name} in {framework}: {_counted(outdated)} of another version of the benchmark "
                    f"than {description.version}, which is the current one: these values are shown as missing.",
                )
    return History(
        name=machine["machine"],
        machine=machine,
        commits=commits,
        series=tuple(found),
        environments={
            name: tuple(
                chosen[name][commit.name].environment if commit.name in chosen[name] else "" for commit in commits
            )
            for name in frameworks
        },
        problems=tuple(load_problems(folder, complain)),
        newest=commit_results(newest, descriptions, machine),
    )


def _chosen(folder: Path, files: list[ResultFile], complain: Complain) -> dict[str, dict[str, ResultFile]]:
    """By framework and commit the file that was measured last, with a complaint about the others."""
    chosen: dict[str, dict[str, ResultFile]] = {}
    unused: dict[str, list[ResultFile]] = {}
    for file in sorted(files, key=lambda file: (file.measured, file.path), reverse=True):
        if file.commit in chosen.setdefault(file.framework, {}):
            unused.setdefault(file.framework, []).append(file)
        else:
            chosen[file.framework][file.commit] = file
    for framework, several in sorted(unused.items()):
        complain(
            folder,
            f"{framework}: {_counted(several)} of a commit that was measured again later, in another environment or "
            f"another file of the same: the later one is shown.",
        )
    return chosen


def _counted(files: Sequence[ResultFile]) -> str:
    others = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0].path.name}{others} {'are' if len(files) > 1 else 'is'}"


def _machine(path: Path, complain: Complain) -> dict[str, str]:
    try:
        data = load_asv_json(path, Machine.api_version)
    except SourceError as error:
        complain(path, f"{error} Make it again with `asv machine --yes`.")
        return {}
    return {words(key): words(str(value)) for key, value in data.items() if key != "machine"}


def _series(framework: str, description: Description, files: Sequence[ResultFile | None]) -> Iterator[Series]:
    """One series for each combination of parameters, those first that the benchmark has now."""
    columns = [recorded(file, description) for file in files]
    now = dict.fromkeys(description.combinations)
    former = dict.fromkeys(name for values, _ in columns for name in values if name not in now)
    for combination in (*now, *former):
        values: list[float | None] = []
        missing = {}
        for number, (recorded_values, otherwise) in enumerate(columns):
            value, reason = (
                measured_value(recorded_values[combination]) if combination in recorded_values else (None, otherwise)
            )
            values.append(None if reason else value)
            if reason:
                missing[number] = reason
        names = description.parameters
        if len(names) != len(combination):
            names = tuple(f"parameter {number}" for number in range(1, len(combination) + 1))
        parameters = tuple(zip(names, (str(literal(text)) for text in combination), strict=True))
        yield Series(description.name, description.unit, framework, parameters, tuple(values), missing)
