"""The same experiment with plain ``asv continuous``, on the same steps (`bench.timed`), as its users run it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import machine
from bench.changes.comparison import cases_of
from bench.changes.power import ASV, add, load, made_with, plant
from bench.changes.verdicts import FASTER, SLOWER, UNCHANGED
from bench.changes.versions import PACKAGES, ROOT, git

BENCHMARK = "^timed"
WORDS = {"+": SLOWER, "-": FASTER}
_AUTHOR = ("-c", "user.name=power experiment", "-c", "user.email=power@example.org")


def experiment(
    kind: str,
    comparisons: int,
    path: Path,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Makes comparisons of commits whose difference is known.

    Args:
        kind: One of `bench.changes.power.KINDS`.
        comparisons: How many there shall be in the file in the end.
        path: File of the experiment; comparisons that are in it are not made again.
        folder: For a clone with the commits to compare, and asv's environment.
        progress: Gets a line for each comparison.

    Raises:
        RuntimeError: asv failed.
    """
    commit = git("rev-parse", "HEAD")
    base, head = _commits(kind, commit, folder / "repository")
    for number in range(len(made_with(load(path), ASV, kind)), comparisons):
        shutil.rmtree(folder / "results", ignore_errors=True)  # else asv would go on with the last comparison
        begin = time.monotonic()
        printed = _continuous(base, head, folder)
        seconds = time.monotonic() - begin
        here = {"processor": machine.processor(), "system": machine.system(), "cores": machine.cores()}
        add(path, ASV, kind, commit, here, seconds, _cases(printed))
        progress(f"{ASV}: {kind} {number + 1}/{comparisons}, {seconds:.0f} s")


def _commits(kind: str, commit: str, repository: Path) -> tuple[str, str]:
    """Two commits of a clone: this one, and one that differs from it by a planted slowdown or in nothing."""
    if not repository.exists():
        git("clone", "--quiet", "--no-checkout", str(ROOT), str(repository))
    git("fetch", "--quiet", str(ROOT), commit, root=repository)
    git("checkout", "--quiet", "--force", "--detach", commit, root=repository)
    if kind == "planted":
        plant(repository / PACKAGES)
    git(*_AUTHOR, "commit", "--quiet", "--all", "--allow-empty", f"--message={kind}", root=repository)
    return commit, git("rev-parse", "HEAD", root=repository)


def _continuous(base: str, head: str, folder: Path) -> str:
    """What ``asv continuous`` prints."""
    configuration = _configuration()
    configuration |= {
        "repo": str(folder / "repository"),
        "branches": [head],
        "benchmark_dir": str(ROOT / "bench"),
        "results_dir": str(folder / "results"),
        "env_dir": str(folder / "environments"),
        "html_dir": str(folder / "html"),
        "include": [one for one in configuration["include"] if one["env_nobuild"]["BENCH_FRAMEWORK"] == "torch"],
    }
    file = folder / "asv.conf.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    asv = [sys.executable, "-m", "asv"]
    for command in (
        [*asv, "machine", "--yes", "--config", str(file)],
        [*asv, "continuous", "--config", str(file), "--bench", BENCHMARK, base, head],
    ):
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if done.returncode not in (0, 1):  # 1: something has become slower
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    if "SIGNIFICANTLY" not in done.stdout and "Ratio" not in done.stdout:
        raise RuntimeError(f"asv continuous printed no comparison:\n{done.stdout}{done.stderr}")
    return done.stdout


def _configuration() -> dict[str, Any]:
    """asv.conf.json without its comments."""
    text = (ROOT / "asv.conf.json").read_text(encoding="utf-8")
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def _cases(printed: str) -> list[dict[str, Any]]:
    """What asv says of each case. It prints the lines of those that it calls changed, and of no others."""
    changed = {}
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 5 and cells[0] in WORDS and (found := re.search(r"time_step(\(.*\))", cells[4])):
            changed[ast.literal_eval(found[1])] = WORDS[cells[0]]
    return [
        {
            "framework": case.framework,
            "optimizer": case.optimizer,
            "shapes": case.shapes,
            "word": changed.get((case.optimizer, case.shapes), UNCHANGED),
        }
        for case in cases_of(["torch"])
    ]
