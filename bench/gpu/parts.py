"""Everything that needs a GPU, in one run of ten minutes whose results are one small folder.

Each part is a process of its own with a time of its own, the most important first: what fails or takes too long is
named in ``summary.json`` and costs only itself.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.changes.versions import ROOT, git
from bench.records import read_json, write_json
from bench.tasks import get_task

SCHEMA = "alphaadam-gpu-1"
TAIL = 2000
"""Characters of a part's output that the summary keeps where it fails."""
PROBE_STEPS = 30
"""Steps of a first training, which tell how many fit: torch.compile and warm-up are in them, so they fit."""


@dataclass(frozen=True)
class Part:
    """A process.

    Attributes:
        name: In the summary.
        command: Arguments of ``python``.
        share: Most of the whole time that it may take, as a fraction.
    """

    name: str
    command: Sequence[str]
    share: float


def parts(device: str, shapes: Sequence[str], output: Path) -> list[Part]:
    """What is measured beside training, in the order of its importance."""
    speed = ["-m", "bench", "speed", "--devices", device, "--output", str(output)]
    largest = ",".join(shapes)
    return [
        Part("every optimizer", ["-m", "bench.gpu.optimizers", shapes[0], str(output / "optimizers.json")], 0.2),
        Part(
            "step, PyTorch",
            [*speed, "--frameworks", "torch", "--shapes", largest, "--dtypes", "float32,bfloat16", "--seconds", "2"],
            0.25,
        ),
        Part("step, Optax", [*speed, "--frameworks", "optax", "--shapes", shapes[0], "--seconds", "2"], 0.15),
        Part("step, Keras on JAX", [*speed, "--frameworks", "keras-jax", "--shapes", shapes[0], "--seconds", "2"], 0.1),
    ]


def measure(
    output: Path,
    minutes: float,
    *,
    device: str = "cuda",
    shapes: Sequence[str] = ("gpt2-small", "gpt2-medium"),
    task: str = "gpt2-small",
    optimizers: Sequence[str] = ("alphaadam", "adamw"),
    data: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs all parts, then trains for as many steps as fit.

    Args:
        output: Folder of the result files.
        minutes: How long everything may take.
        device: Device to measure on.
        shapes: Tensors whose step is timed, the first in every framework.
        task: Task to train.
        optimizers: Optimizers to train with, for the same number of steps each.
        data: Folder of the task's data; None is the Bible's tokens in files, if the task reads files.
        say: Gets a line for each part.

    Returns:
        The content of ``summary.json``: machine, versions, and for each part its command, seconds, and "finished" or
        what went wrong.
    """
    output.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "changedFiles": git("status", "--porcelain").splitlines(),
        "machine": {"node": platform.node(), "processor": machine.processor(), "cores": machine.cores()},
        "gpu": _gpu(),
        "versions": machine.versions_of("torch", "triton", "numba", "jax", "optax", "keras"),
        "parts": [],
    }

    def run(part: Part, seconds: float) -> bool:
        say(f"{part.name}: at most {seconds:.0f} s")
        entry = _run(part, seconds, device)
        summary["parts"].append(entry)
        write_json(output / "summary.json", summary)
        say(f"{part.name}: {entry['outcome']}, {entry['seconds']:.0f} s")
        return entry["outcome"] == "finished"

    for part in parts(device, shapes, output):
        run(part, min(60 * minutes * part.share, end - time.monotonic()))
    for part, seconds in _trainings(output, device, task, optimizers, data, end):
        if not run(part, seconds):
            break
    return summary


def _trainings(
    output: Path, device: str, task: str, optimizers: Sequence[str], data: Path | None, end: float
) -> Iterator[tuple[Part, float]]:
    """A short training that tells the time of a step, then one of each optimizer, as long as they fit."""
    folder = data
    if folder is None and get_task(task).data == "bin":
        folder = output / "data"
        yield Part("data", ["-m", "bench.gpu.data", str(folder)], 0.1), end - time.monotonic()

    def training(optimizer: str, steps: int, record: Path) -> Part:
        command = ["-m", "bench", "run", "--task", task, "--device", device, "--optimizer", optimizer]
        command += ["--steps", str(steps), "--output", str(record)]
        return Part(f"{task}, {optimizer}, {steps} steps", command + (["--data", str(folder)] if folder else []), 1.0)

    probe = output / "probe.json"
    began = time.monotonic()
    yield training(optimizers[0], PROBE_STEPS, probe), end - began
    whole = time.monotonic() - began
    step = read_json(probe)["seconds"] / PROBE_STEPS
    probe.unlink()
    starting = max(0.0, whole - step * PROBE_STEPS)
    left = (end - time.monotonic()) * 0.9 / len(optimizers) - starting  # a tenth for what cannot be foreseen
    steps = min(get_task(task).steps, int(left / step))
    for optimizer in optimizers if steps >= 1 else ():
        yield training(optimizer, steps, output / f"{task}-{optimizer}.json"), end - time.monotonic()


def _run(part: Part, seconds: float, device: str) -> dict[str, Any]:
    begin = time.monotonic()
    entry: dict[str, Any] = {"name": part.name, "command": " ".join(["python", *part.command])}
    if seconds <= 0:
        return {**entry, "seconds": 0.0, "outcome": "no time was left for it"}
    try:
        done = subprocess.run(
            [sys.executable, *part.command],
            cwd=ROOT,
            env={**os.environ, "BENCH_DEVICE": device},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        return {**entry, "seconds": time.monotonic() - begin, "outcome": "took too long", "output": said[-TAIL:]}
    entry["seconds"] = time.monotonic() - begin
    if done.returncode:
        return {**entry, "outcome": f"failed with exit code {done.returncode}", "output": done.stdout[-TAIL:]}
    return {**entry, "outcome": "finished"}


def _gpu() -> str | None:
    """What nvidia-smi says of the GPUs, or nothing where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def render(summary: dict[str, Any], output: Path) -> str:
    """The summary in words, and the table of all optimizers."""
    lines = [f"{summary['gpu'] or 'no GPU'}, commit {summary['commit'][:8]}", ""]
    lines += [f"- {part['name']}: {part['outcome']}, {part['seconds']:.0f} s" for part in summary["parts"]]
    path = output / "optimizers.json"
    if path.exists():
        lines += ["", "| optimizer | ms | ratio to AdamW | state bytes |", "|---|---|---|---|"]
        for name, row in read_json(path)["optimizers"].items():
            if "missing" in row:
                lines.append(f"| {name} | – | – | {row['missing']} |")
            else:
                lines.append(f"| {name} | {1e3 * row['seconds']:.3f} | {row['ratio']:.3f} | {row['stateBytes']} |")
    return "\n".join([*lines, ""])
