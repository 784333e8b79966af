"""One commit of asv's results as tidy tables, one per benchmark.

Every value that was to be measured has a row. Where there is no value, `missing` names the reason (a key of
`MISSING`) and `value` is NaN, so that nothing can mistake it for zero.
"""

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from reports.names import FRAMEWORKS, in_order
from reports.sources.asv_file import Combination, ResultFile
from reports.sources.fields import words

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


NUMBERS = {"budget_percent": "percentage", "step": "step"}
"""Parameters that are numbers; all others that a chart asks for are names."""


class MissingBenchmarkError(Exception):
    """asv knows no such benchmark, or knows it with other parameters; the message says which."""


@dataclass(frozen=True)
class Description:
    """What asv knows of a benchmark.

    Attributes:
        name: its full name.
        unit: of its values; empty if benchmarks.json does not describe it.
        version: of the benchmark: values of other versions cannot be compared with it.
        parameters: the parameters' names.
        combinations: what the parameters are set to.
        described: whether benchmarks.json has it.
    """

    name: str
    unit: str
    version: str | None
    parameters: tuple[str, ...]
    combinations: tuple[Combination, ...]
    described: bool = True


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
    """

    tables: dict[str, pd.DataFrame]
    units: dict[str, str]
    machine: dict[str, str]
    commit: str
    date: datetime
    measured: datetime
    environments: list[Environment]

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
        for name in parameters:
            wanted: type | tuple[type, ...] = (int, float) if name in NUMBERS else str
            if not all(isinstance(value, wanted) for value in table[name]):
                raise MissingBenchmarkError(
                    f"{benchmark} has a parameter {name} that is no {NUMBERS.get(name, 'name')}"
                )
        return table


def commit_results(
    files: Mapping[str, ResultFile], descriptions: Iterable[Description], machine: dict[str, str]
) -> AsvResults:
    """The results of one commit, from its file of each framework."""
    frameworks = in_order([*FRAMEWORKS, *files], FRAMEWORKS)
    described = [description for description in descriptions if description.described]
    some = next(iter(files.values()))
    return AsvResults(
        tables={item.name: _table(item, {name: files.get(name) for name in frameworks}) for item in described},
        units={item.name: item.unit for item in described},
        machine=machine,
        commit=some.commit,
        date=some.date,
        measured=max(file.measured for file in files.values()),
        environments=[_environment(name, files[name]) for name in frameworks if name in files],
    )


def recorded(file: ResultFile | None, description: Description) -> tuple[Mapping[Combination, object], str]:
    """The values of one benchmark by parameters, and why a combination that is not among them is missing."""
    if file is None:
        return {}, "no result file"
    found = file.benchmarks.get(description.name)
    if found is None:
        return {}, "not run"
    if None not in (found.version, description.version) and found.version != description.version:
        return {}, "outdated"
    return found.values, "not run"


def measured_value(value: object) -> tuple[float, str]:
    """A recorded value, and the reason if there is none."""
    if value is None:
        return math.nan, "failed"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan, "not a number"
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any length
        number = math.inf
    if math.isnan(number):
        return math.nan, "skipped"
    return (math.nan, "not finite") if math.isinf(number) else (number, "")


def literal(text: str) -> object:
    """What asv wrote as Python's `repr` does: a text or a number; of anything else the writing itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
    if isinstance(value, str):
        return words(value)
    return value if isinstance(value, int | float | None) else text


def _table(description: Description, of_framework: Mapping[str, ResultFile | None]) -> pd.DataFrame:
    rows = []
    for framework, file in of_framework.items():
        values, otherwise = recorded(file, description)
        for combination in description.combinations:
            value, missing = measured_value(values[combination]) if combination in values else (math.nan, otherwise)
            rows.append([framework, *map(literal, combination), value, missing])
    return pd.DataFrame(rows, columns=["framework", *description.parameters, "value", "missing"])


def _environment(framework: str, file: ResultFile) -> Environment:
    name = f"{file.path.parent.name}/{file.path.name}"
    return Environment(framework, name, file.python, file.versions, file.variables)
