"""Single runs of asv, each with a results folder of its own, so that an end at any moment harms no other result."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.records import write_json

PATIENCE = 30.0
"""Seconds that asv has to end its own processes when it is told to."""
LAUNCHER = Path(__file__).with_name("asv_process.py")

_HEADING = re.compile(r"^\[\s*[\d.]+%\] \W+ (?P<name>[\w.]+\.\w+)\s")
_ERROR = re.compile(
    r"^\W*((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b:?.*|asv: benchmark timed out.*|(?i:error): .*)$"
)
_STDERR = "STDERR -------->"
"""Stands before what a command wrote that asv could not carry out."""
_ASVS_OWN = re.compile(r"Traceback \(most recent call last\):|[·*]+ |\[\s*[\d.]+%\]")
"""Begins what asv says after that."""


@dataclass(frozen=True)
class Ended:
    """How a run of asv ended.

    Attributes:
        code: Its exit code.
        log: What it wrote, line by line.
    """

    code: int
    log: tuple[str, ...]

    def reason(self, benchmark: str = "") -> str:
        """Why a benchmark failed, or the whole run, in one line: the last error that asv showed of it."""
        lines = list(self.log) if not benchmark else _section(self.log, benchmark)
        if told := [number for number, line in enumerate(lines) if _STDERR in line]:
            lines = list(itertools.takewhile(lambda line: not _ASVS_OWN.match(line), lines[told[0] + 1 :]))
        errors = [found[1] for line in lines if (found := _ERROR.match(line))]
        said = [text for line in lines if (text := line.strip("·* "))]
        return (errors or said or [f"asv ended with code {self.code} and no message"])[-1].strip()


def _section(log: Sequence[str], benchmark: str) -> list[str]:
    """The lines that follow a benchmark's name."""
    lines: list[str] = []
    inside = False
    for line in log:
        if found := _HEADING.match(line):
            inside = found["name"] == benchmark
        if inside:
            lines.append(line)
    return lines


def read_configuration(path: Path) -> dict[str, Any]:
    """asv's configuration, whose comments JSON does not know.

    Raises:
        FileNotFoundError: There is none.
        ValueError: Something is missing in it.
        ModuleNotFoundError: asv is not installed.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; run in the folder of a clone of this repository")
    try:
        from asv.util import load_json
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "asv is not installed; run `python -m pip install -c constraints.txt '.[bench]'`", name=error.name
        ) from error
    found = load_json(str(path), js_comments=True)
    for key in ("repo", "benchmark_dir", "results_dir", "environment_type", "include"):
        if key not in found:
            raise ValueError(f"{path} has no {key!r}, which track needs")
    return found


def derived(configuration: Mapping[str, Any], root: Path, results: Path, entry: Mapping[str, Any] | None) -> dict:
    """A configuration with one environment and another results folder, which may lie anywhere.

    Args:
        configuration: asv's.
        root: The folder that its paths are relative to.
        results: The results folder.
        entry: The environment, one of "include"; None leaves all.
    """
    made = {**configuration, "results_dir": str(results)}
    for key, default in (("benchmark_dir", "benchmarks"), ("env_dir", "env"), ("html_dir", "html")):
        made[key] = str(root / configuration.get(key, default))
    if (root / configuration["repo"]).exists():
        made["repo"] = str((root / configuration["repo"]).resolve())
    return made if entry is None else {**made, "include": [dict(entry)]}


def discover(configuration: Mapping[str, Any], root: Path) -> dict[str, dict[str, Any]]:
    """The benchmarks by name, as asv describes them, found by this interpreter.

    Raises:
        RuntimeError: They cannot be imported.
    """
    code = "import sys; from asv_runner.discovery import list_benchmarks; list_benchmarks(sys.argv[1], sys.stdout)"
    folder = root / configuration["benchmark_dir"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(folder)], capture_output=True, text=True, check=False, cwd=root
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the benchmarks in {folder} cannot be imported: {last}")
    found = json.loads(done.stdout[done.stdout.index("[") :])
    return {benchmark["name"]: benchmark for benchmark in found if isinstance(benchmark.get("version"), str)}


def run_asv(
    configuration: Mapping[str, Any],
    work: Path,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    inherit: Sequence[int] = (),
) -> Ended:
    """Runs asv, whose output is shown as it comes, and waits for its end.

    Args:
        configuration: What `derived` made.
        work: A folder for the configuration.
        arguments: asv's, after ``--config FILE``.
        variables: Environment variables, beside those of this process.
        inherit: File descriptors that asv keeps open as long as it lives.
    """
    path = work / "asv.conf.json"
    write_json(path, configuration)
    command = [sys.executable, "-u", "-P", str(LAUNCHER), arguments[0], "--config", str(path), *arguments[1:]]
    environment = {**os.environ, **variables, "PYTHONIOENCODING": "utf-8", "TRACK_PROCESS": str(os.getpid())}
    log = []
    with subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        pass_fds=tuple(inherit),
    ) as process:
        try:
            for line in process.stdout or ():
                sys.stderr.write(line)
                log.append(line.rstrip("\n"))
        except BaseException:
            with suppress(OSError):
                process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return Ended(process.returncode, tuple(log))
