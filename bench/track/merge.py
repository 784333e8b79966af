"""Folders of asv's results, carried here as files, merged into one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records import write_text
from bench.track import problems
from bench.track.asv_files import VERSION, as_text, merge_results, read_results, read_versioned, rows

MACHINE_VERSION = 1
_NO_RESULTS = ("machine.json", "benchmarks.json")


def merge(folders: Sequence[Path], into: Path, rename: str | None = None, dry_run: bool = False) -> list[str]:
    """Merges folders of results into one.

    Everything is read and checked before the first file is written, each file is written whole or not at all, and
    merging the same again changes nothing: an interrupted merge is made good by another.

    Args:
        folders: asv's results folders, which hold one folder for each machine, or folders of single machines.
        into: The results folder to merge into.
        rename: Name to give to the folders' machine, which must be a single one.
        dry_run: Whether to write nothing.

    Returns:
        What was done, or would be, file by file.

    Raises:
        ValueError: A file is broken, or contradicts another; nothing was written.
    """
    planned: dict[Path, str] = {}
    found: dict[Path, Any] = {}
    for folder in folders:
        machines = _machines(folder)
        if rename and len(machines) != 1:
            raise ValueError(f"{folder} holds {len(machines)} machines; --as names a single one")
        for machine in machines:
            _merge_machine(machine, into / (rename or machine.name), found, planned)
        if (descriptions := folder / "benchmarks.json").exists():
            _merge_descriptions(descriptions, machines, into, found, planned)
    changed = {path: text for path, text in planned.items() if not path.exists() or path.read_text("utf-8") != text}
    lines = [f"{'changed' if path.exists() else 'new'}: {path}" for path in changed]
    if not dry_run:
        for path, text in changed.items():
            write_text(path, text)
    return lines


def _machines(folder: Path) -> list[Path]:
    """The folders of machines in a folder, or itself."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give asv's results folder, for example results/asv")
    if (folder / "machine.json").exists():
        return [folder]
    machines = sorted(path.parent for path in folder.glob("*/machine.json"))
    strangers = sorted({path.parent for path in folder.glob("*/*.json")} - set(machines))
    if strangers:
        raise ValueError(f"{strangers[0]} has no machine.json, so nothing says which machine its results are of")
    if not machines:
        raise ValueError(f"{folder} has no results in it: no folder of a machine with its machine.json")
    return machines


def _merge_machine(machine: Path, into: Path, found: dict[Path, Any], planned: dict[Path, str]) -> None:
    description = {**read_versioned(machine / "machine.json", MACHINE_VERSION), "machine": into.name}
    here = _content(into / "machine.json", found, lambda path: read_versioned(path, MACHINE_VERSION))
    if here is not None:
        description["os"] = here.get("os")  # is updated now and then, and the machine stays what it is
    if here is not None and here != description:
        different = [key for key in sorted({*here, *description}) if here.get(key) != description.get(key)]
        one, other = ({key: which.get(key) for key in different} for which in (here, description))
        raise ValueError(
            f"{machine} and {into} are of different machines of one name: {one} here, {other} there; give the other"
            " one a name of its own with --as NAME"
        )
    found[into / "machine.json"] = description
    planned[into / "machine.json"] = json.dumps(description, indent=4, sort_keys=True)
    for path in sorted(machine.glob("*.json")):
        if path.name not in _NO_RESULTS:
            _merge_file(path, into / path.name, found, planned)
    if reasons := problems.read_problems(machine):
        target = into / problems.FILE
        before = found.get(target, problems.read_problems(into))
        found[target] = problems.merge_problems(before, reasons)
        planned[target] = problems.as_text(found[target])


def _merge_file(path: Path, target: Path, found: dict[Path, Any], planned: dict[Path, str]) -> None:
    content = read_results(path)
    content["params"] = {**content["params"], "machine": target.parent.name}
    here = _content(target, found, read_results)
    for key in ("commit_hash", "env_name"):
        if here is not None and here[key] != content[key]:
            raise ValueError(f"{path} and {target} have one name and differ in {key}: {content[key]}, {here[key]}")
    found[target] = merge_results(content if here is None else here, content)
    planned[target] = as_text(found[target])


def _merge_descriptions(
    path: Path, machines: Sequence[Path], into: Path, found: dict[Path, Any], planned: dict[Path, str]
) -> None:
    """Of a benchmark that both describe, the higher version's description; of one version that measured later."""
    target = into / "benchmarks.json"
    theirs = read_versioned(path, VERSION)
    ours = _content(target, found, lambda path: read_versioned(path, VERSION))
    if ours is None:
        ours = {"version": VERSION}
    chosen = dict(ours)
    measured_there = _last_measured(machines)
    measured_here = _last_measured([machine.parent for machine in into.glob("*/machine.json")])
    for name, description in theirs.items():
        if name == "version":
            continue
        if name not in ours or _later(description, ours[name], measured_there.get(name, 0), measured_here.get(name, 0)):
            chosen[name] = description
    found[target] = chosen
    planned[target] = json.dumps(chosen, indent=4, sort_keys=True)


def _later(theirs: Mapping[str, Any], ours: Mapping[str, Any], there: float, here: float) -> bool:
    versions = str(theirs["version"]), str(ours["version"])
    if versions[0] != versions[1] and all(version.isdecimal() for version in versions):
        return int(versions[0]) > int(versions[1])
    return there > here


def _last_measured(machines: Sequence[Path]) -> dict[str, float]:
    """When each benchmark was measured last."""
    last: dict[str, float] = {}
    for machine in machines:
        for path in machine.glob("*.json"):
            if path.name not in _NO_RESULTS:
                for name, row in rows(read_results(path)).items():
                    last[name] = max(last.get(name, 0), row.get("started_at") or 0)
    return last


def _content(path: Path, found: Mapping[Path, Any], read: Any) -> Any:
    """What a file is going to hold: what an earlier folder made of it, or what it holds; None where there is none."""
    return found.get(path) or (read(path) if path.exists() else None)
