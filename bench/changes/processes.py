"""A launch: a pair of processes, one for each of two versions of the code, timed in turn on one core."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

BLOCK_SECONDS = 0.006
"""The versions take turns after blocks of about so long: what disturbs the machine for longer disturbs both."""
ROUNDS = 4
PASSES = 2
"""How often each case is built anew in a launch: its tensors then lie elsewhere in memory, which changes times more
than anything that is measured here."""
QUANTILE = 0.25
"""Of a version's step times, the quantile that is compared. What disturbs a step only adds to its time, so the quick
ones say most; the very quickest are accidents of their own."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """What is timed: one optimizer's step in one framework, on tensors that `bench.paired.shapes_of` knows."""

    framework: str
    optimizer: str
    shapes: str

    def __str__(self) -> str:
        return f"{self.framework} {self.optimizer} {self.shapes}"


class WorkerError(RuntimeError):
    """A version's process failed; the message holds its traceback or its end."""


class Worker:
    """A process of `bench.changes.worker`.

    Args:
        framework: Framework to measure.
        code: Folder that holds the version's package ``alphaadam``.
        core: Core to stay on, with one thread. Both versions of a pair stay on the same one, so that neither has the
            better core, and a pair on each core does not keep the others waiting.
        padding: Bytes that are added to the environment, which moves the stack: where data lie must differ from launch
            to launch rather than from version to version.
    """

    def __init__(self, framework: str, code: Path, core: int, padding: int) -> None:
        environment = {
            **os.environ,
            **dict.fromkeys(ONE_THREAD, "1"),
            "PYTHONPATH": os.pathsep.join([str(code), str(ROOT)]),
            # Large arrays in large pages where the C library can: small ones lie all over the cache, by chance.
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
            "BENCH_DEVICE": "cpu",
            "BENCH_PADDING": "x" * padding,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.changes.worker", framework, str(code), str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **request: Any) -> None:
        """Sends a request."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer says so

    def seconds(self) -> list[float]:
        """The answer to the last request.

        Raises:
            WorkerError: The request failed, or the process ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"its process ended with exit code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"].strip())
        return answer["seconds"]


def cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def launch(
    cases: Sequence[Case], base: Path, head: Path, core: int, seed: int, passes: int = PASSES
) -> dict[Case, float | str]:
    """Starts a pair of processes for each framework and times every case in it.

    Args:
        cases: What to time.
        base: Folder of the package of the version that is compared with.
        head: Folder of the package of the version that is compared.
        core: Core that all of it happens on.
        seed: Decides what must not always be the same: which process starts first, where its stack lies, and the order
            of the cases.
        passes: How often each case is built and timed.

    Returns:
        For each case the logarithm of the ratio of head's to base's seconds per step, the mean over the passes. Or in
        words why there is none.
    """
    chance = random.Random(seed)
    found: dict[Case, list[float] | str] = {}
    for framework in dict.fromkeys(case.framework for case in cases):
        own = [case for case in cases if case.framework == framework]
        with ExitStack() as stack:
            workers = {}
            for name in chance.sample(["base", "head"], 2):
                code = base if name == "base" else head
                workers[name] = stack.enter_context(Worker(framework, code, core, chance.randrange(4096)))
            for _ in range(passes):
                for case in chance.sample(own, len(own)):
                    if isinstance(values := found.setdefault(case, []), list):
                        try:
                            values.append(_logarithm(case, workers))
                        except WorkerError as error:
                            found[case] = str(error)
    return {case: value if isinstance(value, str) else statistics.mean(value) for case, value in found.items()}


def _logarithm(case: Case, workers: Mapping[str, Worker]) -> float:
    """Builds a case in both processes and times it in turn.

    Raises:
        WorkerError: It failed in one of them; the message says in which.
    """

    def answer(name: str) -> list[float]:
        try:
            return workers[name].seconds()
        except WorkerError as error:
            raise WorkerError(f"{name}: {error}") from None

    for worker in workers.values():
        worker.ask(build=[case.optimizer, case.shapes])
    slowest = max([answer(name)[0] for name in workers])
    steps = max(1, round(BLOCK_SECONDS / slowest))
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for number in range(ROUNDS):
        for name in ("base", "head", "head", "base") if number % 2 else ("head", "base", "base", "head"):
            workers[name].ask(steps=steps)
            seconds[name] += answer(name)
    return math.log(_quick(seconds["head"]) / _quick(seconds["base"]))


def _quick(seconds: Sequence[float]) -> float:
    """The quantile of `QUANTILE`."""
    return statistics.quantiles(seconds, n=round(1 / QUANTILE), method="inclusive")[0]
