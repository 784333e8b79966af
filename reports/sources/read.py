"""Finds result files, and hands each to the reader that knows it."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reports.results import Results, Unread
from reports.sources.asv_history import load_asv
from reports.sources.comparisons import load_comparison
from reports.sources.conformance import CONFORMANCE_SCHEMA, load_conformance
from reports.sources.error import SourceError
from reports.sources.power import POWER_SCHEMA, load_power
from reports.sources.speed import SPEED_SCHEMA, load_speed

# A file that has one of these says that its folder is somebody's workshop, not results.
WORKSHOP = (".git", "pyvenv.cfg", "asv.conf.json", "CACHEDIR.TAG")

Complain = Callable[[Path, str], None]


def read(paths: Iterable[Path]) -> Results:
    """Reads every result file at or below `paths`.

    What a file is, it says itself: by its schema, or by its place in asv's folder or a comparison's. A file that
    cannot be read, in whole or in part, stands in `unread` with the reason, and the others are read all the same.

    Args:
        paths: Files and folders. One file that is reached twice is read once.

    Raises:
        SourceError: One of the paths does not exist.
    """
    found: dict[str, list] = {"histories": [], "comparisons": [], "speeds": [], "powers": [], "conformance": []}
    unread: list[Unread] = []

    def complain(path: Path, reason: str) -> None:
        unread.append(Unread(_shown(path), reason))

    for path in _unique(paths):
        try:
            if path.is_dir() and (path / "benchmarks.json").is_file():
                found["histories"] += load_asv(path, complain)
            elif path.is_dir():
                found["comparisons"].append(load_comparison(path, complain))
            else:
                kind, load = _reader(path)
                found[kind].append(load(path, complain))
        except SourceError as error:
            complain(path, str(error))
    return Results(**{kind: tuple(items) for kind, items in found.items()}, unread=tuple(unread))


def _unique(paths: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for root in paths:
        if not root.exists():
            raise SourceError(f"{root}: no such file or folder. Name one that holds results.")
        for path in _sources(root):
            if (real := path.resolve()) not in seen:
                seen.add(real)
                yield path


def _sources(path: Path) -> Iterator[Path]:
    """The result files below a folder, and the folders that belong together as one result."""
    if path.is_file() or _is_one_result(path):
        yield path
    elif not any((path / name).exists() for name in WORKSHOP):
        for item in sorted(path.iterdir()):
            if not item.name.startswith(".") and (item.is_dir() or item.suffix == ".json"):
                yield from _sources(item)


def _is_one_result(folder: Path) -> bool:
    """Whether this is asv's folder, or that of a comparison, finished or not."""
    return any((folder / name).is_file() for name in ("benchmarks.json", "comparison.json")) or any(
        folder.glob("*.jsonl")
    )


def _reader(path: Path) -> tuple[str, Callable[[Path, Complain], object]]:
    readers: dict[object, tuple[str, Callable[[Path, Complain], object]]] = {
        CONFORMANCE_SCHEMA: ("conformance", load_conformance),
        POWER_SCHEMA: ("powers", load_power),
        SPEED_SCHEMA: ("speeds", load_speed),
    }
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"It is not readable JSON ({error}).") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(schema, str) or schema not in readers:
        raise SourceError(f"Its schema is {schema!r}; this version reads {', '.join(map(str, readers))}.")
    return readers[schema]


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path.as_posix()
