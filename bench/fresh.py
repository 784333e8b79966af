"""Times taken in fresh processes, which have imported and compiled nothing yet."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOMS = {"torch": "alphaadam.torch", "jax": "alphaadam.optax", "keras": "alphaadam.keras"}
"""What a user of each framework imports."""
CACHES = ("NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Variables that say where compiled code is kept."""

_IMPORT = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""
_FIRST_STEP = """
from bench.fresh import first_step_seconds
print(first_step_seconds({framework!r}, {optimizer!r}))
"""


def median_import_seconds(framework: str, processes: int) -> float:
    """Seconds that importing AlphaAdam takes with the framework, by a median over fresh processes."""
    return _median(_IMPORT.format(module=ROOMS[framework]), processes)


def median_first_step_seconds(framework: str, optimizer: str, processes: int) -> float:
    """`first_step_seconds`, by a median over fresh processes with empty caches of compiled code."""
    return _median(_FIRST_STEP.format(framework=framework, optimizer=optimizer), processes)


def first_step_seconds(framework: str, optimizer: str) -> float:
    """Seconds of an optimizer's first step in this process, on the tensors of gpt2-nano."""
    from bench.paired import first_step

    step, clock = first_step(framework, optimizer, "gpt2-nano")
    return clock(step.run)


def _median(code: str, processes: int) -> float:
    return statistics.median(_seconds(code) for _ in range(processes))


def _seconds(code: str) -> float:
    """What a fresh process prints.

    Raises:
        RuntimeError: It fails; the message holds what it wrote.
    """
    search = os.pathsep.join(path for path in (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")) if path)
    with tempfile.TemporaryDirectory() as empty:
        caches = {name: str(Path(empty, name)) for name in CACHES}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **caches, "PYTHONPATH": search},
            cwd=empty,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"a fresh process failed with {done.returncode}:\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])
