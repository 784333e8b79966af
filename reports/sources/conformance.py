"""Reads the conformance results into one tidy table."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports.sources.error import SourceError

CONFORMANCE_SCHEMA = "alphaadam-conformance-1"
CONFORMANCE_COMMAND = "python -m suite run --adapter torch --adapter optax --adapter keras"
OUTCOMES = ("pass", "fail", "error", "skipped", "expected-deviation")
CASE = ["file", "type", "dtype", "id"]


@dataclass(frozen=True)
class Conformance:
    """The conformance results.

    Attributes:
        table: one row per case and adapter: file, type, dtype, id, adapter, outcome, message, and
            largest_ulp (a dict by quantity) and not_reported (the quantities that the adapter cannot observe).
        adapters: the versions that each adapter reports, by adapter name.
        suite: specVersion and files, as in the results.
        machine: where it ran, as in the results.
        commit: the commit that was tested, or None where the run did not know.
        created: when it ran, as written in the file.
    """

    table: pd.DataFrame
    adapters: dict[str, dict[str, str]]
    suite: dict
    machine: dict[str, str]
    commit: str | None
    created: str


def load_conformance(path: Path, complain: Callable[[Path, str], None]) -> Conformance:
    """Reads the results that `python -m suite run` writes.

    Raises:
        SourceError: the file is missing, broken, of an unknown schema, or holds a result twice.
    """
    again = f"Make it again with `{CONFORMANCE_COMMAND}`."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file. Make it with `{CONFORMANCE_COMMAND}`.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is not readable JSON ({error}). {again}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != CONFORMANCE_SCHEMA:
        raise SourceError(f"{path}: schema is {schema!r}, this version reads {CONFORMANCE_SCHEMA!r}. {again}")
    try:
        conformance = _conformance(data)
    except KeyError as error:
        raise SourceError(f"{path}: {error} is missing. {again}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"{path}: {error}. {again}") from error
    return conformance


def _conformance(data: dict) -> Conformance:
    columns = [*CASE, "adapter", "outcome", "message", "largest_ulp", "not_reported"]
    rows = []
    for result in data["results"]:
        if result["outcome"] not in OUTCOMES:
            raise ValueError(f"outcome {result['outcome']!r} of {result['id']} is none of {', '.join(OUTCOMES)}")
        case = [str(result[key] or "") for key in CASE]
        ulp = {quantity: float(value) for quantity, value in result["largestUlp"].items()}
        verdict = [result["adapter"], result["outcome"], str(result["message"])]
        rows.append([*case, *verdict, ulp, list(result.get("notReported", ()))])
    # As objects: pandas with pyarrow would keep them in UTF-8, in which half of a surrogate pair has no bytes.
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    repeated = table[table.duplicated([*CASE, "adapter"])]
    if len(repeated):
        raise ValueError(f"{repeated.iloc[0]['id']} has more than one result of {repeated.iloc[0]['adapter']}")
    adapters = {adapter["name"]: dict(adapter["versions"]) for adapter in data["adapters"]}
    strangers = sorted(set(table["adapter"]) - set(adapters))
    if strangers:
        raise ValueError(f"results of adapters that are not listed under adapters: {', '.join(strangers)}")
    files = [{key: file[key] for key in ("name", "sha256", "numberOfTests")} for file in data["suite"]["files"]]
    suite = {"specVersion": data["suite"]["specVersion"], "files": files}
    return Conformance(table, adapters, suite, dict(data["machine"]), data["commit"], str(data["created"]))
