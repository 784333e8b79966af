"""Finds what may hold results below the paths that a report was asked for."""

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reports.sources.error import SourceError
from reports.sources.gpu import files_of

# A file that has one of these says that its folder is somebody's workshop, not results.
WORKSHOP = (".git", "pyvenv.cfg", "asv.conf.json", "CACHEDIR.TAG")

UNFINISHED = "unfinished"
"""Folder of a comparison's attempts that did not end; the comparison's reader counts them."""

Complain = Callable[[Path, str], None]


def find(paths: Iterable[Path], complain: Complain) -> Iterator[Path]:
    """Yields files, and folders that belong together as one result, each once, in the order of their names.

    Folders of work files are left alone; what cannot be opened is complained about.

    Raises:
        SourceError: One of the paths does not exist.
    """
    seen: set[tuple[int, int]] = set()
    for root in paths:
        try:
            folder = stat.S_ISDIR(root.stat().st_mode)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise SourceError(f"{root}: {said}. Name a file or folder that holds results.") from error
        sign = next((name for name in WORKSHOP if folder and (root / name).exists()), "")
        if sign:
            complain(root, f"It holds {sign}: work files, not results. Name the folder of results, such as results.")
        else:
            yield from _below(root, seen, complain)


def is_asvs(folder: Path) -> bool:
    """Whether this is asv's results folder: that of the machines, not of one of them."""
    return (folder / "benchmarks.json").is_file() or any(folder.glob("*/machine.json"))


def _is_comparison(folder: Path) -> bool:
    records = ("*.jsonl", ".*.running")  # of trials that ended, and of trials that run
    return (folder / "comparison.json").is_file() or any(any(folder.glob(pattern)) for pattern in records)


def _below(root: Path, seen: set[tuple[int, int]], complain: Complain) -> Iterator[Path]:
    waiting = [root]  # no recursion: folders may be nested deeper than Python's stack
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            mode, itself = status.st_mode, (status.st_dev, status.st_ino)
            if itself in seen:
                continue
            seen.add(itself)
            is_result, items = _look_into(path) if stat.S_ISDIR(mode) else (stat.S_ISREG(mode), [])
        except OSError as error:
            complain(path, f"It cannot be opened ({error.strerror}).")
            continue
        if is_result:
            yield path
        elif not stat.S_ISDIR(mode):
            complain(path, "It is neither a file nor a folder.")
        waiting += reversed(items)


def _look_into(folder: Path) -> tuple[bool, list[Path]]:
    """Whether a folder is one result as a whole, and what in it may be another, or hold one."""
    if any((folder / name).exists() for name in WORKSHOP):
        return False, []
    items = [item for item in sorted(folder.iterdir()) if not item.name.startswith(".")]
    folders = {item for item in items if item.is_dir()}
    if is_asvs(folder):
        is_result, own, folders = True, {folder / "benchmarks.json"}, set()
    elif (folder / "machine.json").is_file():
        return True, []
    elif _is_comparison(folder):
        is_result, own = True, {folder / "comparison.json", folder / UNFINISHED}
    else:
        is_result, own = False, files_of(folder)
    return is_result, [item for item in items if (item in folders or item.suffix == ".json") and item not in own]
