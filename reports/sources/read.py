"""Hands each result file to the reader that knows it."""

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from reports.results import Results, Unread
from reports.sources.agreement import AGREEMENT_SCHEMA, load_agreement
from reports.sources.asv_history import load_asv
from reports.sources.comparisons import load_comparison
from reports.sources.conformance import CONFORMANCE_SCHEMAS, load_conformance
from reports.sources.costs import COSTS_SCHEMA, load_costs
from reports.sources.error import SourceError
from reports.sources.fields import read_json, schema_words, words
from reports.sources.find import find, is_asvs
from reports.sources.gpu import GPU_SCHEMA, load_gpu
from reports.sources.power import POWER_SCHEMA, load_power
from reports.sources.repository import NO_REPOSITORY, Repository
from reports.sources.speed import SPEED_SCHEMA, load_speed

Complain = Callable[[Path, str], None]
Reader = Callable[[Path, Complain], object]

READERS: dict[str, tuple[str, Reader]] = {
    **dict.fromkeys(CONFORMANCE_SCHEMAS, ("conformance", load_conformance)),
    AGREEMENT_SCHEMA: ("agreements", load_agreement),
    POWER_SCHEMA: ("powers", load_power),
    SPEED_SCHEMA: ("speeds", load_speed),
    COSTS_SCHEMA: ("costs", load_costs),
    GPU_SCHEMA: ("gpus", load_gpu),
}
"""By schema: the kind in `Results`, and what reads it."""


def read(paths: Iterable[Path], repository: Repository = NO_REPOSITORY) -> Results:
    """Reads every result file at or below `paths`.

    What a file is, it says itself: by its schema, or by its place in asv's folder or a comparison's. A file that
    cannot be read, in whole or in part, stands in `unread` with the reason, and the others are read all the same.

    Args:
        paths: Files and folders. One file that is reached twice is read once.
        repository: What knows the subjects of asv's commits.

    Raises:
        SourceError: One of the paths does not exist.
    """
    found: dict[str, list] = {}
    unread: list[Unread] = []

    def complain(path: Path, reason: str) -> None:
        unread.append(Unread(words(_shown(path)), words(reason)))

    for path in find(paths, complain):
        try:
            kind, load = _reader(path, repository)
            made = load(path, complain)
            found.setdefault(kind, []).extend(made if isinstance(made, list) else [made])
        except SourceError as error:
            complain(path, str(error))
        except Exception as error:  # a mistake of the reader: it costs this file and not the report
            complain(path, f"The reader failed on it ({type(error).__name__}: {error}). Please report this as a bug.")
    return Results(**{kind: tuple(items) for kind, items in found.items()}, unread=tuple(unread))


def _reader(path: Path, repository: Repository) -> tuple[str, Reader]:
    if path.is_dir():
        if (path / "machine.json").is_file() and not is_asvs(path):
            raise SourceError("It is the folder of one machine of asv's. Name the folder above it.")
        load_histories = functools.partial(load_asv, repository=repository)
        return ("histories", load_histories) if is_asvs(path) else ("comparisons", load_comparison)
    data = read_json(path)
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(schema, str) or schema not in READERS:
        raise SourceError(f"Its schema is {schema_words(schema)}; this version reads {', '.join(READERS)}.")
    return READERS[schema]


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path.as_posix()
