"""Tracking: asv run as a careful person runs it, in small parts, each of which is kept when it is done."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.records import write_text
from bench.track.asv_files import read_results, rows
from bench.track.checks import alone, machine_file, say
from bench.track.environments import (
    Environment,
    existing,
    label_of,
    made_by_asv,
    name_results,
    process_variables,
    unpack,
    verify,
)
from bench.track.merge import merge
from bench.track.problems import Problem, merge_problems, read_problems, settle, write_problems
from bench.track.runs import Ended, discover, read_configuration, run_asv
from bench.track.steps import Combination, Step, groups, missing, now, outcome, selected

QUICK = ("^convergence", "^memory", "^startup", "^throughput.*gpt2-nano", "^throughput.TrainingStep")
"""What ``--quick`` measures: not the larger models' steps, the scaling of steps, nor the runs that test stability."""


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        root: The folder with asv.conf.json.
        commits: Full hashes, the oldest first.
        patterns: As for ``asv run --bench``.
        frameworks: Labels of environments; None is all, of existing ones those that are installed.
        existing: Whether to measure in the environment of this interpreter.
        machine: The machine's name; None is what asv calls it.
    """

    root: Path
    commits: Sequence[str]
    patterns: Sequence[str] = ()
    frameworks: Sequence[str] | None = None
    existing: bool = False
    machine: str | None = None


def track(request: Request) -> list[Problem]:
    """Measures what is missing.

    Returns:
        What could not be measured, and why.

    Raises:
        ValueError: Something that was asked for does not exist, or a result file contradicts another.
        RuntimeError: The benchmarks cannot be imported, or another process measures.
    """
    configuration = read_configuration(request.root / "asv.conf.json")
    benchmarks = discover(configuration, request.root)
    wanted = selected(benchmarks, request.patterns)
    results = request.root / configuration["results_dir"]
    work = request.root / ".asv" / "track"
    name = machine_file(request.machine)
    with alone(work) as lock:
        session = _Session(request, configuration, benchmarks, wanted, results, work, name, lock)
        return session.run()


@dataclass
class _Session:
    """One call of `track`."""

    request: Request
    configuration: Mapping[str, Any]
    benchmarks: Mapping[str, Mapping[str, Any]]
    wanted: Mapping[str, list[Combination]]
    results: Path
    work: Path
    machine: str
    lock: int
    problems: list[Problem] = field(default_factory=list)
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    """How long a group took in an environment."""

    @property
    def folder(self) -> Path:
        """The machine's results."""
        return self.results / self.machine

    @property
    def scratch(self) -> Path:
        """The results folder of the run of asv that is on its way."""
        return self.work / "results"

    def run(self) -> list[Problem]:
        """Measures environment by environment, so that one that fails leaves the others as they are."""
        self._set_broken_files_aside()
        environments = list(self._environments())
        plans = [(environment, self._steps(environment)) for environment in environments]
        left = [(environment.name, step) for environment, steps in plans for step in steps]
        for environment, steps in plans:
            if not steps:
                say(f"{environment.label}: everything is measured already")
            lost: set[str] = set()  # commits that cannot be measured in this environment
            for step in steps:
                able = replace(step, commits=tuple(commit for commit in step.commits if commit not in lost))
                if able.commits:
                    self._announce(environment, able, left)
                    lost |= self._measure(environment, able)
                left.pop(0)
        return [problem for problem in self.problems if problem.kind == "failed"]

    def _environments(self) -> Iterator[Environment]:
        entries = {label_of(entry): entry for entry in self.configuration.get("include", [])}
        named = self.request.frameworks
        if unknown := [label for label in named or () if label not in entries]:
            raise ValueError(f"--frameworks {unknown[0]}: asv.conf.json has only {', '.join(entries)}")
        make = existing if self.request.existing else made_by_asv
        found = False
        for label in named or entries:
            try:
                yield make(self.configuration, self.request.root, self.scratch, entries[label])
                found = True
            except RuntimeError as error:
                if self.request.existing and named is None:
                    say(f"{label} is left out: {error}")
                    continue
                found = True
                for commit in self.request.commits:
                    self._record(Problem(commit, label, str(error), now()))
        if not found:
            raise ValueError("no framework is installed here that asv.conf.json has an environment for")

    def _steps(self, environment: Environment) -> list[Step]:
        """Runs of asv in an environment, class by class, so that commits are measured shortly after one another."""
        steps = []
        turned = False
        for group, names in groups(self.wanted).items():
            wanted = {name: self.wanted[name] for name in names}
            left = {commit: self._missing(environment, commit, wanted) for commit in self.request.commits}
            commits = [commit for commit, some in left.items() if some]
            rounds = max(self.benchmarks[name].get("rounds", 1) for name in names)
            if rounds > 1 and len(commits) > 1 and not environment.existing:
                together = {name: some for commit in commits for name, some in left[commit].items()}
                steps.append(Step(group, tuple(commits), together))
            else:
                # Back and forth, so that no commit is always measured later, on a warmer machine, than the others.
                steps += [Step(group, (commit,), left[commit]) for commit in (commits[::-1] if turned else commits)]
                turned = not turned
        return steps

    def _missing(
        self, environment: Environment, commit: str, wanted: Mapping[str, Sequence[Combination]]
    ) -> dict[str, list[Combination]]:
        from asv.results import get_filename

        path = self.results / get_filename(self.machine, commit, environment.name)
        content = read_results(path) if path.exists() else None
        for name, row in rows(content).items() if content else ():
            key = environment.name, name.rpartition(".")[0]
            self.seconds[key] = max(self.seconds.get(key, 0.0), row.get("duration") or 0.0)
        of_this = [p for p in read_problems(self.folder) if (p.commit, p.environment) == (commit, environment.name)]
        return missing(wanted, self.benchmarks, content, of_this)

    def _announce(self, environment: Environment, step: Step, left: Sequence[tuple[str, Step]]) -> None:
        known = [self.seconds[key] for name, some in left if (key := (name, some.group)) in self.seconds]
        estimate = f", about {max(1, round(sum(known) / len(known) * len(left) / 60))} min" if known else ""
        commits = ", ".join(commit[:8] for commit in step.commits)
        say(f"{environment.label}: {step.group} at {commits} ({len(left)} parts left{estimate})")

    def _measure(self, environment: Environment, step: Step) -> set[str]:
        """Runs asv for a step and keeps what it measured.

        Returns:
            The commits that need not be tried again in this environment.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        begin = time.monotonic()
        try:
            ended = self._asv(environment, step)
        except RuntimeError as error:
            for commit in step.commits:
                self._record(Problem(commit, environment.name, str(error), now()))
            return set(step.commits)
        self.seconds[environment.name, step.group] = time.monotonic() - begin
        if environment.existing and (self.scratch / self.machine).is_dir():
            name_results(environment, self.scratch / self.machine, step.commits)
        lost = set()
        for commit in step.commits:
            made = list((self.scratch / self.machine).glob(f"{commit[:8]}-*.json"))
            if made:
                lost |= self._keep(environment, step, commit, made[0], ended)
            elif ended.code < 0:  # the system ended it, perhaps for its memory: other benchmarks may do better
                for name in step.wanted:
                    self._record(
                        Problem(commit, environment.name, f"asv was ended by signal {-ended.code}", now(), name)
                    )
            elif _is_the_commits(ended):
                self._record(Problem(commit, environment.name, f"cannot be built: {ended.reason()}", now()))
                lost.add(commit)
            else:
                lost |= self._lose(environment, ended)
        return lost

    def _asv(self, environment: Environment, step: Step) -> Ended:
        arguments = ["run", "--machine", self.machine, "--record-samples", "--show-stderr"]
        for pattern in step.patterns():
            arguments += ["--bench", pattern]
        source = None
        if environment.existing:
            (commit,) = step.commits
            source = unpack(self.request.root, commit, self.work / "source")
            verify(environment, source)
            arguments += ["--environment", f"existing:{sys.executable}", "--set-commit-hash", commit]
        else:
            hashes = self.work / "commits"
            write_text(hashes, "\n".join(step.commits) + "\n")
            arguments.append(f"HASHFILE:{hashes}")
            if len(step.commits) > 1:
                arguments.append("--interleave-rounds")
        variables = process_variables(environment, source)
        return run_asv(environment.configuration, self.work, arguments, variables, (self.lock,))

    def _keep(self, environment: Environment, step: Step, commit: str, path: Path, ended: Ended) -> set[str]:
        built = f"Skipping {environment.name}" not in "\n".join(ended.log)
        problems = outcome(step, commit, environment.name, self.benchmarks, path, ended.reason)
        if not built:
            problems = [Problem(commit, environment.name, f"cannot be built: {ended.reason()}", now())]
        merge([self.scratch], self.results)
        write_text(self.results / "benchmarks.json", (self.scratch / "benchmarks.json").read_text("utf-8"))
        tried = {name: [", ".join(combination) for combination in some] for name, some in step.wanted.items()}
        before = [p for p in read_problems(self.folder) if (p.commit, p.environment) != (commit, environment.label)]
        write_problems(self.folder, settle(before, commit, environment.name, tried, problems))
        self.problems += problems
        return set() if built else {commit}

    def _lose(self, environment: Environment, ended: Ended) -> set[str]:
        """All commits: the environment itself cannot be had."""
        for commit in self.request.commits:
            self._record(Problem(commit, environment.name, f"cannot be installed: {ended.reason()}", now()))
        return set(self.request.commits)

    def _record(self, problem: Problem) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_problems(self.folder, merge_problems(read_problems(self.folder), [problem]))
        self.problems = [known for known in self.problems if known.key() != problem.key()] + [problem]

    def _set_broken_files_aside(self) -> None:
        """asv writes into its result files, so a kill can leave half of one, which asv would refuse from then on."""
        for path in sorted(self.folder.glob("*.json")):
            if path.name == "machine.json":
                continue
            try:
                read_results(path)
            except ValueError as error:
                aside = path.with_name(path.name + ".broken")
                path.rename(aside)
                say(f"beware: {error}; it is set aside as {aside.name}, and what it held is measured again")


def _is_the_commits(ended: Ended) -> bool:
    """Whether asv failed because of the commit and not because of the environment."""
    return any("Failed to build the project" in line for line in ended.log)
