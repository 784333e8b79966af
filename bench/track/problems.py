"""Why something is missing from the results: a file of JSON lines beside a machine's result files.

asv reads every file named ``*.json`` in the folder of a machine as results, so this one is called ``problems.jsonl``.
It lies there because it is carried with the results and merged with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.records import write_text

FILE = "problems.jsonl"


@dataclass(frozen=True)
class Problem:
    """Something that was asked for and has no value.

    Attributes:
        commit: The full hash; empty where no commit could be measured.
        environment: What was to be measured in.
        benchmark: Its name; empty where all of them are missing.
        kind: "failed", or "skipped" where a benchmark's own `setup` says that it does not apply.
        version: The benchmark's version.
        parameters: Combinations of parameters that have no value, as asv writes them; empty for all of them.
        reason: Why, in words.
        when: When, as ISO 8601 in UTC.
    """

    commit: str
    environment: str
    reason: str
    when: str
    benchmark: str = ""
    kind: str = "failed"
    version: str = ""
    parameters: tuple[str, ...] = ()

    def key(self) -> tuple[str, str, str, str]:
        """What has one problem at a time."""
        return self.commit, self.environment, self.benchmark, self.kind


def read_problems(machine: Path) -> list[Problem]:
    """The problems recorded in the folder of a machine.

    Raises:
        ValueError: The file is broken; the message names it.
    """
    path = machine / FILE
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            content = json.loads(line)
            found.append(Problem(**{**content, "parameters": tuple(content.get("parameters", ()))}))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}, is no record of a problem ({error}); remove the line") from error
    return found


def merge_problems(*several: Iterable[Problem]) -> list[Problem]:
    """Of each kind of problem with the same thing the newest."""
    newest: dict[tuple[str, ...], Problem] = {}
    for problem in (problem for problems in several for problem in problems):
        if problem.key() not in newest or newest[problem.key()].when < problem.when:
            newest[problem.key()] = problem
    return sorted(newest.values(), key=lambda problem: (problem.when, problem.key()))


def settle(
    problems: Iterable[Problem],
    commit: str,
    environment: str,
    tried: Mapping[str, Sequence[str]],
    new: Iterable[Problem],
) -> list[Problem]:
    """The problems after something was tried again: what it still has, and what was not part of it.

    Args:
        problems: Those so far.
        commit: What was tried in `environment`.
        environment: Where.
        tried: Combinations of parameters by benchmark.
        new: What still has no value of it.
    """
    kept = []
    for problem in problems:
        if (problem.commit, problem.environment) == (commit, environment) and problem.benchmark in ("", *tried):
            left = tuple(p for p in problem.parameters if p not in tried.get(problem.benchmark, ()))
            if not left:
                continue
            problem = replace(problem, parameters=left)
        kept.append(problem)
    of = {problem.key(): problem for problem in kept}
    for problem in new:
        before = of.get(problem.key())
        others = before.parameters if before is not None and before.version == problem.version else ()
        of[problem.key()] = replace(problem, parameters=tuple(dict.fromkeys((*others, *problem.parameters))))
    return merge_problems(of.values())


def as_text(problems: Iterable[Problem]) -> str:
    """The file's text."""
    return "".join(json.dumps(asdict(problem)) + "\n" for problem in problems)


def write_problems(machine: Path, problems: Iterable[Problem]) -> None:
    """Replaces the problems recorded in the folder of a machine."""
    write_text(machine / FILE, as_text(problems))
