"""What figures depend on beside what is measured, processor, cores and code, and the memory of this process."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path


def processor() -> str:
    """The name of the processor."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def system() -> str:
    """Operating system and architecture."""
    return f"{platform.system()} {platform.machine()}"


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cores(number: int) -> None:
    """Confines this process to some cores: for frameworks that make as many threads as they find cores.

    Raises:
        RuntimeError: There are not so many, or the system cannot.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise RuntimeError("--threads confines a process to cores, which this system cannot")
    here = sorted(os.sched_getaffinity(0))
    if number > len(here):
        raise RuntimeError(f"--threads {number}: this process has only {len(here)} cores to confine it to")
    os.sched_setaffinity(0, here[:number])


def threads_environment(threads: int) -> dict[str, str]:
    """Variables that fix the number of threads in every library that may do a framework's arithmetic.

    They must be set before the libraries are imported.
    """
    names = (
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
        *("NPROC", "PJRT_NPROC"),  # XLA's pool on the CPU
    )
    return dict.fromkeys(names, str(threads))


def versions_of(*distributions: str) -> dict[str, str]:
    """Versions of those distributions that are installed."""
    versions = {}
    for name in distributions:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def source_digest(package: Path, *rooms: str) -> str:
    """Of the code that is measured: the version alone does not change with each commit.

    Args:
        package: Folder of ``alphaadam``.
        rooms: The folders in it whose code runs, beside what all share.
    """
    digest = hashlib.sha256()
    patterns = ["*.py", "_*/**/*.py", *(f"{room}/**/*.py" for room in rooms)]
    for path in sorted(path for pattern in patterns for path in package.glob(pattern)):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def available_bytes() -> float:
    """Memory that can still be allocated; infinite where the system does not say."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return math.inf


def resident_growth(run: Callable[[], object]) -> int | None:
    """Growth of the process up to its largest during `run`, where Linux can be asked; it counts whole pages.

    It misses what finds room in memory that was not given back to the system.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else a step would grow into what an earlier one left
        Path("/proc/self/clear_refs").write_text("5")  # from here on, the largest is counted anew
    except (OSError, AttributeError):
        return None
    before = _status("VmRSS")
    run()
    after = _status("VmHWM")
    return None if before is None or after is None else max(0, after - before)


def _status(name: str) -> int | None:
    for line in _lines("/proc/self/status"):
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
