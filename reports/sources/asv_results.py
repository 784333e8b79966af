"""Reads asv's result folder into tidy tables, one per benchmark.

Every value that was to be measured has a row. Where there is no value, `missing` names the reason (a key of
`MISSING`) and `value` is NaN, so that nothing can mistake it for zero.
"""

import ast
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from asv.benchmarks import Benchmarks
from asv.machine import Machine
from asv.results import Results
from asv.util import UserError, load_json

from reports.names import FRAMEWORKS, in_order
from reports.sources.error import SourceError
from reports.sources.problems import problem_lines

MISSING = {
    "no result file": "asv wrote no result file of this framework for this commit",
    "not run": "the result file holds nothing for this benchmark with these parameters",
    "failed": "the benchmark raised an error or timed out (asv recorded null)",
    "skipped": "the benchmark was skipped or not selected (asv recorded NaN)",
    "not finite": "the benchmark returned infinity",
    "not a number": "the result file holds something other than a number",
    "outdated": "the value is of another version of the benchmark than benchmarks.json describes",
    "no AdamW": "AdamW's value, to which this one would be compared, is missing",
    "not in all": "the value of at least one framework is missing",
}

ASV_COMMAND = "asv machine --yes && asv run"


class MissingBenchmarkError(Exception):
    """asv knows no such benchmark, or knows it with other parameters; the message says which."""


@dataclass(frozen=True)
class Environment:
    """Where one framework was measured."""

    framework: str
    file: str
    python: str
    versions: dict[str, str]
    variables: dict[str, str]


@dataclass(frozen=True)
class AsvResults:
    """One commit on one machine.

    Attributes:
        tables: by benchmark name, one row per value: framework, the benchmark's parameters, value, missing.
        units: the unit of each benchmark.
        machine: what asv's machine.json says.
        commit: the full commit hash.
        date: the commit's date.
        measured: when the last benchmark started.
        environments: one per framework that has a result file.
        left_out: what else the folder holds and this report does not show, in words.
    """

    tables: dict[str, pd.DataFrame]
    units: dict[str, str]
    machine: dict[str, str]
    commit: str
    date: datetime
    measured: datetime
    environments: list[Environment]
    left_out: list[str]

    def select(self, benchmark: str, *parameters: str) -> pd.DataFrame:
        """The rows of one benchmark: framework, its parameters, value, missing.

        Raises:
            MissingBenchmarkError: asv does not know the benchmark, or not with these parameters.
        """
        if benchmark not in self.tables:
            raise MissingBenchmarkError(f"asv's benchmarks.json has no benchmark {benchmark}")
        table = self.tables[benchmark]
        have = [name for name in table.columns if name not in ("framework", "value", "missing")]
        if have != list(parameters):
            raise MissingBenchmarkError(f"{benchmark} has the parameters {have}, not {list(parameters)}")
        return table


def load_newest(folder: Path) -> AsvResults:
    """Reads the newest commit on the machine with the newest results.

    asv's own `iter_results` leaves a broken file out with a log message; a report must not lose results
    silently, so every file is loaded here by the same `Results.load` and a broken one is an error.

    Raises:
        SourceError: the folder or a file in it is missing or broken.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder. Make it with `{ASV_COMMAND}`, or name another with --asv.")
    descriptions = _load_benchmarks(folder / "benchmarks.json")
    paths = [path for path in sorted(folder.glob("*/*.json")) if path.name != "machine.json"]
    if not paths:
        raise SourceError(f"{folder}: no result files in it. Make them with `{ASV_COMMAND}`.")
    everything = {path: _load_results(path) for path in paths}

    run, older = _newest_run(everything)
    by_framework, unused = _by_framework(run)
    undescribed = [
        f"{path.name}: {name}, which benchmarks.json does not describe."
        for path in by_framework.values()
        for name in sorted(set(run[path].get_all_result_keys()) - set(descriptions))
    ]
    frameworks = in_order([*FRAMEWORKS, *by_framework], FRAMEWORKS)
    results = {name: run[by_framework[name]] if name in by_framework else None for name in frameworks}

    folder_of_machine = next(iter(run)).parent
    newest = max(run.values(), key=_measured)
    troubles = problem_lines(folder_of_machine, newest.commit_hash)
    machine_info = _load_json(folder_of_machine / "machine.json", Machine.api_version, f"`{ASV_COMMAND}`")
    machine = {"machine": folder_of_machine.name, **{key: str(value) for key, value in machine_info.items()}}
    return AsvResults(
        tables={name: _table(description, results) for name, description in descriptions.items()},
        units={name: description["unit"] for name, description in descriptions.items()},
        machine=machine,
        commit=newest.commit_hash,
        date=_datetime(newest.date),
        measured=_datetime(_measured(newest)),
        environments=[
            _environment(name, by_framework[name], run[by_framework[name]], machine)
            for name in frameworks
            if name in by_framework
        ],
        left_out=troubles + older + unused + undescribed,
    )


def _load_json(path: Path, version: int, remedy: str) -> dict:
    try:
        return load_json(str(path), api_version=version)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing. Make it with {remedy}.") from None
    except UserError as error:
        raise SourceError(f"{error} Repair or delete the file, then make it again with {remedy}.") from error
    except (OSError, UnicodeDecodeError, TypeError) as error:
        raise SourceError(f"{path} cannot be read ({error}). Make it again with {remedy}.") from error


def _load_benchmarks(path: Path) -> dict[str, dict]:
    remedy = "`asv run --bench just-discover`"
    descriptions = _load_json(path, Benchmarks.api_version, remedy)
    for name, description in descriptions.items():
        for key in ("name", "param_names", "params", "unit", "version"):
            if not isinstance(description, dict) or key not in description:
                raise SourceError(f"{path}: benchmark {name} has no {key!r}. Make the file again with {remedy}.")
    return descriptions


def _load_results(path: Path) -> Results:
    try:
        results = Results.load(str(path), machine_name=path.parent.name)
        if not isinstance(results.commit_hash, str) or not isinstance(results.date, int):
            raise ValueError("it names no commit and date.")
        for name in results.get_all_result_keys():  # asv looks into a benchmark's values only when asked
            results.get_result_value(name, results.get_result_params(name))
        return results
    except (UserError, OSError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise SourceError(f"{path} cannot be read: {error} Delete the file and run `asv run` again.") from error


def _measured(results: Results) -> int:
    """When the newest benchmark of a file started, in milliseconds since 1970, as asv counts."""
    return max([time for time in results.started_at.values() if time is not None], default=results.date)


def _datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _newest_run(everything: dict[Path, Results]) -> tuple[dict[Path, Results], list[str]]:
    """The newest commit's files of the machine that measured last, and what that leaves out."""
    machine = max(everything, key=lambda path: _measured(everything[path])).parent
    on_machine = {path: results for path, results in everything.items() if path.parent == machine}
    commit = max(on_machine.values(), key=lambda results: (results.date, _measured(results))).commit_hash
    run = {path: results for path, results in on_machine.items() if results.commit_hash == commit}

    others = sorted({path.parent.name for path in everything} - {machine.name})
    left_out = [f"Machine {name}: its results are older than those of {machine.name}." for name in others]
    commits = sorted({results.commit_hash[:8] for results in on_machine.values()} - {commit[:8]})
    if commits:
        left_out.append(f"Older commits on {machine.name} ({len(commits)}): {', '.join(commits)}.")
    return run, left_out


def _by_framework(run: dict[Path, Results]) -> tuple[dict[str, Path], list[str]]:
    """The newest file of each framework, and which files that leaves out."""
    chosen: dict[str, Path] = {}
    left_out = []
    for path in sorted(run, key=lambda path: _measured(run[path]), reverse=True):
        framework = run[path].env_vars.get("BENCH_FRAMEWORK")
        if framework is None:
            left_out.append(f"{path.name}: it does not say which framework it measures (BENCH_FRAMEWORK).")
        elif framework in chosen:
            left_out.append(f"{path.name}: {framework} was measured again in {chosen[framework].name}.")
        else:
            chosen[framework] = path
    return chosen, left_out


def _environment(framework: str, path: Path, results: Results, machine_info: dict) -> Environment:
    # asv stores the machine's description and the requirements side by side in `params`.
    versions = {key: value for key, value in results.params.items() if key not in {*machine_info, "python"}}
    return Environment(
        framework=framework,
        file=f"{path.parent.name}/{path.name}",
        python=str(results.params.get("python", "")),
        versions={key.removeprefix("pip+"): str(value) for key, value in sorted(versions.items())},
        variables=dict(sorted(results.env_vars.items())),
    )


def _table(description: dict, of_framework: dict[str, Results | None]) -> pd.DataFrame:
    rows = []
    for framework, results in of_framework.items():
        values, otherwise = _recorded(results, description)
        for combination in itertools.product(*description["params"]):
            value, missing = _value(values[combination]) if combination in values else (math.nan, otherwise)
            rows.append([framework, *map(_parameter, combination), value, missing])
    return pd.DataFrame(rows, columns=["framework", *description["param_names"], "value", "missing"])


def _recorded(results: Results | None, description: dict) -> tuple[dict[tuple[str, ...], object], str]:
    """The values of one benchmark by parameters, and why a combination that is not among them is missing."""
    name = description["name"]
    if results is None:
        return {}, "no result file"
    if name not in results.get_all_result_keys():
        return {}, "not run"
    if results.benchmark_version.get(name) not in (None, description["version"]):
        return {}, "outdated"
    parameters = results.get_result_params(name)
    values = results.get_result_value(name, parameters)
    return dict(zip(itertools.product(*parameters), values, strict=True)), "not run"


def _parameter(text: str) -> object:
    """asv writes parameters as Python's `repr` does."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _value(value: object) -> tuple[float, str]:
    """A recorded value, and the reason if there is none."""
    if value is None:
        return math.nan, "failed"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan, "not a number"
    if math.isnan(value):
        return math.nan, "skipped"
    if math.isinf(value):
        return math.nan, "not finite"
    return float(value), ""
