"""What asv knows of each benchmark: its benchmarks.json, and for what is not in it the result files themselves."""

from collections.abc import Callable, Sequence
from pathlib import Path

from asv.benchmarks import Benchmarks

from reports.sources.asv_file import ResultFile, combinations, load_asv_json
from reports.sources.asv_results import Description
from reports.sources.error import SourceError
from reports.sources.fields import words

REMEDY = "Make it again with `asv run --bench just-discover`."


def load_descriptions(
    path: Path, files: Sequence[ResultFile], complain: Callable[[Path, str], None]
) -> list[Description]:
    """Descriptions of all benchmarks in these result files and in benchmarks.json, by name."""
    try:
        data = load_asv_json(path, Benchmarks.api_version)
    except SourceError as error:
        complain(path, f"{error} {REMEDY}")
        data = {}
    found = {}
    for key, item in data.items():
        try:
            found[words(key)] = _description(words(key), item)
        except SourceError as error:
            complain(path, f"{words(key)}: {error} {REMEDY}")
    strangers = sorted({name for file in files for name in file.benchmarks} - set(found))
    if strangers:
        complain(
            path,
            f"It does not describe {', '.join(strangers)}: their values are shown across commits, "
            f"without a unit and without the names of their parameters. {REMEDY}",
        )
    found.update((name, _guessed(name, files)) for name in strangers)
    return [found[name] for name in sorted(found)]


def _description(name: str, item: object) -> Description:
    if not isinstance(item, dict):
        raise SourceError("it is no description.")
    names, version, unit = item.get("param_names"), item.get("version"), item.get("unit")
    parameters = combinations(item.get("params"))
    if not isinstance(names, list) or any(len(combination) != len(names) for combination in parameters[:1]):
        raise SourceError("it has not one name for each parameter.")
    if len(set(map(str, names))) < len(names) or {"framework", "value", "missing"} & set(map(str, names)):
        raise SourceError("two of its columns would have one name.")
    return Description(
        name,
        words(unit),
        words(version) if isinstance(version, str) else None,
        tuple(words(text, f"parameter {number}") for number, text in enumerate(names, 1)),
        tuple(dict.fromkeys(parameters)),
    )


def _guessed(name: str, files: Sequence[ResultFile]) -> Description:
    """What the newest file that has a benchmark tells of it."""
    newest = max((file for file in files if name in file.benchmarks), key=lambda file: (file.measured, file.path))
    held = newest.benchmarks[name]
    several = len(next(iter(held.values), ()))
    names = tuple(f"parameter {number}" for number in range(1, several + 1))
    return Description(name, "", held.version, names, tuple(held.values), described=False)
