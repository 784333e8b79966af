"""Environments that commits are measured in: those that asv makes, and the one that this interpreter runs in."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import git
from bench.fresh import ROOMS
from bench.records import write_text
from bench.track.asv_files import as_text, read_results
from bench.track.runs import derived

SOURCES = ("implementations", "src", ".")
"""Where a commit's packages may lie."""
BUILD_TOOLS = ("setuptools", "wheel")
"""Requirements that build a commit's wheel, which an existing environment does not."""


@dataclass(frozen=True)
class Environment:
    """Something to measure in.

    Attributes:
        label: Its framework, or what else tells it from others.
        name: asv's name for it, which its result files bear.
        configuration: asv's, with this environment alone.
        existing: Whether it is the one that this interpreter runs in.
        variables: What a benchmark's process gets.
        requirements: Versions of what is installed there, by distribution.
    """

    label: str
    name: str
    configuration: Mapping[str, Any]
    existing: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)


def label_of(entry: Mapping[str, Any]) -> str:
    """What tells an entry of "include" from the others: its framework, or its variables, or its Python."""
    variables = {**entry.get("env", {}), **entry.get("env_nobuild", {})}
    return variables.get("BENCH_FRAMEWORK") or "-".join(variables.values()) or entry.get("python", "default")


def made_by_asv(configuration: Mapping[str, Any], root: Path, results: Path, entry: Mapping[str, Any]) -> Environment:
    """An environment that asv makes, with the packages that its entry of "include" names.

    Raises:
        RuntimeError: asv finds no way to make it.
    """
    from asv import environment, plugin_manager  # noqa: F401  (its import registers the kinds of environments)
    from asv.config import Config

    alone = derived(configuration, root, results, entry)
    found = list(environment.get_environments(Config.from_json(dict(alone)), None, verbose=False))
    if not found:
        raise RuntimeError(
            f"asv finds no way to make an environment of the type {alone['environment_type']!r} with Python"
            f" {entry.get('python')}: that interpreter, or virtualenv, is not installed"
        )
    return Environment(label_of(entry), found[0].name, alone)


def existing(configuration: Mapping[str, Any], root: Path, results: Path, entry: Mapping[str, Any]) -> Environment:
    """This interpreter's environment, for one framework.

    asv gives one name to all that is measured in an existing environment, so that frameworks would overwrite each
    other's results. Here it is named like those that asv makes: by framework, by installed versions and by device.

    Raises:
        RuntimeError: The framework, or something else that its benchmarks need, is not installed.
    """
    from asv.environment import get_env_name

    variables = {**entry.get("env", {}), **entry.get("env_nobuild", {})}
    if device := os.environ.get("BENCH_DEVICE"):
        variables["BENCH_DEVICE"] = device
    requirements = {}
    for distribution in entry.get("req", {}):
        if distribution in BUILD_TOOLS:
            continue
        try:
            requirements[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError as error:
            raise RuntimeError(f"{distribution} is not installed in {sys.prefix}") from error
    python = ".".join(platform.python_version_tuple()[:2])
    tagged = {("nobuild", name): value for name, value in variables.items()}
    name = get_env_name("existing", python, requirements, tagged)
    alone = derived(configuration, root, results, None)
    return Environment(label_of(entry), name, alone, True, variables, requirements)


def unpack(root: Path, commit: str, into: Path) -> Path:
    """A commit's files, for an existing environment, which asv installs nothing into.

    Returns:
        The folder that its packages lie in.

    Raises:
        RuntimeError: The commit has no such folder.
    """
    folder = into / commit
    if not folder.exists():
        partial = into / f".{commit}.{os.getpid()}"
        with tarfile.open(fileobj=io.BytesIO(git.archive(root, commit))) as archive:
            archive.extractall(partial, filter="data")
        partial.rename(folder)
    for name in SOURCES:
        if (folder / name).is_dir() and any((folder / name).glob("*/__init__.py")):
            return (folder / name).resolve()
    raise RuntimeError(f"commit {commit[:8]} has no package to measure under {', '.join(SOURCES)}")


def verify(environment: Environment, source: Path) -> None:
    """Checks that what an existing environment would measure is the commit's own code.

    Raises:
        RuntimeError: It cannot be imported, or something else is imported.
    """
    room = ROOMS.get(environment.label)
    if room is None or not (source / "alphaadam").is_dir():
        return
    code = f"import {room}, json, sys; print(json.dumps(sys.modules[{room!r}].__file__))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=process_variables(environment, source),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{room} cannot be imported: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    imported = Path(json.loads(done.stdout.splitlines()[-1])).resolve()
    if source not in imported.parents:
        raise RuntimeError(
            f"`import {room}` finds {imported}, not the commit's code in {source}: something in this environment puts"
            " its own alphaadam first; uninstall it with `python -m pip uninstall alphaadam`"
        )


def process_variables(environment: Environment, source: Path | None) -> dict[str, str]:
    """The environment variables of asv's process: this process' own, the framework's, and where the code lies."""
    found = {**os.environ, **environment.variables}
    if source is not None:
        # asv takes PYTHONPATH from its benchmarks and gives them ASV_PYTHONPATH in its place.
        path = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
        found |= {"PYTHONPATH": path, "ASV_PYTHONPATH": path}
    return found


def name_results(environment: Environment, machine: Path, commits: Sequence[str]) -> None:
    """Gives the results of a run in an existing environment the name, variables and versions of theirs."""
    from asv.results import get_filename

    for path in sorted(machine.glob("*.json")):
        if path.name == "machine.json":
            continue
        content = read_results(path)
        if content["commit_hash"] in commits and content["env_name"] != environment.name:
            content["env_name"] = environment.name
            content["env_vars"] = dict(environment.variables)
            content["requirements"] = dict(environment.requirements)
            content["python"] = ".".join(platform.python_version_tuple()[:2])
            content["params"] = {**content["params"], **environment.requirements, "python": content["python"]}
            named = machine.parent / get_filename(machine.name, content["commit_hash"], environment.name)
            write_text(named, as_text(content))
            path.unlink()
