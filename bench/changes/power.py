"""How often a comparison of two commits is wrong: measured, with differences that are known.

Commits that differ in nothing show how often a change is reported where there is none. A kernel that was made 10 %
slower shows how often one is found that is there. Both with `bench.changes.comparison`, and with plain
``asv continuous`` beside it (`bench.changes.power_asv`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.changes.comparison import Case, cases_of, compare, findings
from bench.changes.verdicts import SLOWER, UNCHANGED, proportion_interval
from bench.changes.versions import Version, version
from bench.records import read_json, write_json

SCHEMA = "alphaadam-power-1"
LAUNCHES = 12
KINDS = ("null", "planted")
OURS, ASV = "python -m bench changes", "asv continuous"

SLOWED = Path("alphaadam", "torch", "_numba.py")
_CALL = "            kernels.run(\n"
_PLANTED = """\


# Planted: each run of the compiled kernels takes a tenth of its own time longer.
class _Slower:
    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)

    def run(self, *arguments):
        import time

        begin = time.perf_counter()
        self._module.run(*arguments)
        end = time.perf_counter()
        while time.perf_counter() - end < 0.1 * (end - begin):
            pass


kernels = _Slower(kernels)
"""


def plant(package: Path) -> None:
    """Makes PyTorch's kernels for CPUs 10 % slower, in a copy of the code.

    Raises:
        ValueError: The code has changed so that nothing would become slower.
    """
    path = package / SLOWED
    source = path.read_text(encoding="utf-8")
    if _CALL not in source:
        raise ValueError(
            f"{path} calls its kernels in another way than bench.changes.power knows; mend bench.changes.power"
        )
    path.write_text(source + _PLANTED, encoding="utf-8")


def is_planted(case: Mapping[str, str]) -> bool:
    """Whether a planted kernel is what the case runs on."""
    return case["framework"] == "torch" and case["optimizer"] != "adamw"


def versions_for(kind: str, code: Path) -> tuple[Version, Version]:
    """Base, and what it is compared with: a copy, with a planted slowdown or without."""
    base = version("HEAD", code)
    folder = code / f"{base.digest}-{kind}"
    if not folder.exists():
        temporary = folder.with_name(f".{folder.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(base.folder, temporary, ignore=shutil.ignore_patterns("__pycache__"))
        if kind == "planted":
            plant(temporary)
        temporary.rename(folder)
    subject = "nothing changed" if kind == "null" else "PyTorch's kernels take 10 % longer"
    return base, replace(base, name=kind, subject=subject, digest=folder.name, folder=folder)


def experiment(
    kind: str,
    comparisons: int,
    path: Path,
    folder: Path,
    cases: list[Case] | None = None,
    launches: int = LAUNCHES,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Makes comparisons of versions whose difference is known.

    Args:
        kind: One of `KINDS`.
        comparisons: How many there shall be in the file in the end.
        path: File of the experiment; comparisons that are in it are not made again.
        folder: For the code, and the launches of a comparison that is not finished.
        cases: What to time in each; None is what `bench.changes.comparison` times in PyTorch.
        launches: Launches of each comparison.
        progress: Gets a line for each comparison.
    """
    cases = cases_of(["torch"]) if cases is None else cases
    base, head = versions_for(kind, folder / "code")
    for number in range(len(made_with(load(path), OURS, kind)), comparisons):
        unfinished = folder / f"{kind}-{number}.json"
        made = compare(base, head, cases, unfinished, launches=launches, seed=1000 * number + 500 * (kind == "planted"))
        add(path, OURS, kind, base.commit, made["machine"], made["seconds"], findings(made))
        unfinished.unlink()
        progress(f"{OURS}: {kind} {number + 1}/{comparisons}, {made['seconds']:.0f} s")


def load(path: Path) -> dict[str, Any]:
    """The experiment's file, or an empty one."""
    return read_json(path) if path.exists() else {"schema": SCHEMA, "comparisons": []}


def add(
    path: Path,
    method: str,
    kind: str,
    commit: str,
    machine: Mapping[str, Any],
    seconds: float,
    cases: list[dict[str, Any]],
) -> None:
    """Adds a comparison to the file."""
    content = load(path)
    content["comparisons"].append(
        {"method": method, "kind": kind, "commit": commit, "machine": machine, "seconds": seconds, "cases": cases}
    )
    write_json(path, content)


def made_with(content: Mapping[str, Any], method: str, kind: str) -> list[dict[str, Any]]:
    return [made for made in content["comparisons"] if (made["method"], made["kind"]) == (method, kind)]


def render(content: Mapping[str, Any]) -> str:
    """Markdown tables of the experiment."""
    lines = [
        "| method | truth | cases | reported | wrong | rate | 95 % interval | seconds a comparison |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in (OURS, ASV):
        null, planted = made_with(content, method, "null"), made_with(content, method, "planted")
        nothing = [case for made in null for case in made["cases"]]
        nothing += [case for made in planted for case in made["cases"] if not is_planted(case)]
        slowed = [case for made in planted for case in made["cases"] if is_planted(case)]
        if nothing:
            reported = sum(case["word"] != UNCHANGED for case in nothing)
            lines.append(_row(method, "no difference", len(nothing), reported, reported, null + planted))
        if slowed:
            found = sum(case["word"] == SLOWER for case in slowed)
            lines.append(_row(method, "kernel 10 % slower", len(slowed), found, len(slowed) - found, planted))
    return "\n".join([*lines, ""])


def _row(method: str, truth: str, cases: int, reported: int, wrong: int, made: Iterable[Mapping[str, Any]]) -> str:
    low, high = proportion_interval(reported, cases)
    seconds = sorted(one["seconds"] for one in made)
    return (
        f"| `{method}` | {truth} | {cases} | {reported} | {wrong} | {reported / cases:.1%} | {low:.1%} – {high:.1%}"
        f" | {seconds[len(seconds) // 2]:.0f} (most {seconds[-1]:.0f}) |"
    )
