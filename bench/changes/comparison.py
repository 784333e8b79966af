"""Whether the optimizer's step has become slower or faster from one version of the code to another.

Many launches (`bench.changes.processes`), one at a time on each core, then one test a case (`bench.changes.verdicts`).
What was launched is kept in a file, so that an interrupted comparison goes on where it stopped.
"""

from __future__ import annotations

import itertools
import platform
import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import machine
from bench.changes.processes import PASSES, Case, cores, launch
from bench.changes.verdicts import LEVEL, SMALLEST, verdict
from bench.changes.versions import Version
from bench.names import OPTIMIZERS
from bench.records import read_json, write_json

SCHEMA = "alphaadam-changes-1"
SHAPES: Mapping[str, tuple[str, ...]] = {
    "torch": ("gpt2-nano", "1x300000", "1x1000000", "10x100000", "30x30000", "100x10000"),
    "jax": ("gpt2-nano", "1x300000", "1x1000000"),
    "keras": ("gpt2-nano", "1x300000", "1x1000000"),
}
"""What is timed unasked: a model's tensors, one tensor that fits into a core's cache and one that does not, and in
PyTorch, whose step handles tensor by tensor, more and more of them. Steps of a millisecond, of which many fit into a
launch: how large models fare is for ``python -m bench speed`` to say."""
LAUNCHES = 12


def cases_of(
    frameworks: Iterable[str], optimizers: Iterable[str] = OPTIMIZERS, shapes: Iterable[str] | None = None
) -> list[Case]:
    """All combinations. AdamW is the framework's own: a change of it is the machine's or the framework's."""
    return [
        Case(framework, *rest)
        for framework in frameworks
        for rest in itertools.product(tuple(optimizers), tuple(shapes or SHAPES[framework]))
    ]


def compare(
    base: Version,
    head: Version,
    cases: Sequence[Case],
    path: Path,
    *,
    launches: int = LAUNCHES,
    passes: int = PASSES,
    jobs: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Times two versions against one another.

    Args:
        base: The version that is compared with.
        head: The version that is compared.
        cases: What to time.
        path: File of the launches. Those that are in it, of the same versions and cases, are not made again.
        launches: How many.
        passes: As in `bench.changes.processes.launch`.
        jobs: Launches at a time, each on a core of its own; None is one for each core.
        seed: Seed of the first launch.
        progress: Called with the number of launches done, and of all.

    Returns:
        The content of the file, see `docs/tracking.md`.

    Raises:
        ValueError: The file is of another comparison.
    """
    names = [str(case) for case in cases]
    identity = {
        "schema": SCHEMA,
        "base": _described(base),
        "head": _described(head),
        "cases": [asdict(case) for case in cases],
        "passes": passes,
        "seed": seed,
        "machine": {
            "processor": machine.processor(),
            "system": machine.system(),
            "cores": len(cores()),
            "python": platform.python_version(),
        },
    }
    content: dict[str, Any] = {**identity, "seconds": 0.0, "launches": {}}
    if path.exists():
        content = read_json(path)
        for key, value in identity.items():
            if content.get(key) != value:
                raise ValueError(
                    f"{path} is of another comparison: its {key!r} is {content.get(key)!r} instead of {value!r};"
                    " name another --output, or delete the file"
                )
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    used = cores()[:jobs]
    for core in used:
        free.put(core)

    def one(number: int) -> dict[Case, float | str]:
        core = free.get()
        try:
            return launch(cases, base.folder, head.folder, core, seed + number, passes)
        finally:
            free.put(core)

    begin, before = time.monotonic(), content["seconds"]
    wanted = [number for number in range(launches) if str(number) not in content["launches"]]
    progress(launches - len(wanted), launches)
    with ThreadPoolExecutor(len(used)) as pool:
        futures = {pool.submit(one, number): number for number in wanted}
        try:
            for done, future in enumerate(as_completed(futures), launches - len(wanted) + 1):
                values = future.result()
                content["launches"][str(futures[future])] = dict(zip(names, map(values.get, cases), strict=True))
                content["seconds"] = before + time.monotonic() - begin
                write_json(path, content)
                progress(done, launches)
        finally:
            pool.shutdown(cancel_futures=True)
    return content


def findings(content: Mapping[str, Any], smallest: float = SMALLEST) -> list[dict[str, Any]]:
    """What a comparison's launches say of each case: its fields, and a verdict's or "missing", in words."""
    rows = []
    for description in content["cases"]:
        name = str(Case(**description))
        values = [launched[name] for launched in content["launches"].values()]
        missing = next((value for value in values if isinstance(value, str)), None)
        if missing is None:
            rows.append({**description, **asdict(verdict(values, smallest))})
        else:
            rows.append({**description, "missing": missing})
    return rows


def render(content: Mapping[str, Any], smallest: float = SMALLEST) -> str:
    """A Markdown table of a comparison, what has changed first, and what it means."""
    rows = sorted(findings(content, smallest), key=lambda row: -abs(row.get("ratio", 1.0) - 1))
    rows.sort(key=lambda row: (row.get("word") == "no change shown", "missing" in row))
    base, head = content["base"], content["head"]
    lines = [
        f"Base: {base['name']} {base['commit'][:8]} {base['subject']}  ",
        f"Head: {head['name']} {head['commit'][:8]} {head['subject']}",
        "",
        f"| framework | optimizer | shapes | head / base | {1 - LEVEL:.0%} interval | p | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        start = f"| {row['framework']} | {row['optimizer']} | {row['shapes']} |"
        if "missing" in row:
            lines.append(f"{start} – | – | – | not measured: {row['missing'].splitlines()[-1]} |")
        else:
            interval = f"{row['low']:.3f} – {row['high']:.3f}"
            lines.append(f"{start} {row['ratio']:.3f} | {interval} | {row['p']:.4f} | {row['word']} |")
    of = f"{len(content['launches'])} launches, {content['seconds']:.0f} s"
    return "\n".join(
        [
            *lines,
            "",
            f"Seconds of one optimizer step, one thread; {of}. A change is called one where the exact"
            f" randomization test of the trimmed mean over the launches has p ≤ {LEVEL} and the ratio differs from 1"
            f" by {smallest:.0%} or more.",
            "",
        ]
    )


def _described(version: Version) -> dict[str, str]:
    return {"name": version.name, "commit": version.commit, "subject": version.subject, "digest": version.digest}
