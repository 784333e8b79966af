"""Trials in local processes, one each, so that a crash is that trial's alone."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.compare.trials import Attempt, Trial, set_aside
from bench.compare.worker import running_path
from bench.machine import available_bytes, threads_environment

TAIL = 2000
"""Characters of a dead process's last words that are kept."""


@dataclass(frozen=True)
class Ended:
    """An attempt that ended: with its record in the folder, or with an error."""

    attempt: Attempt
    error: str | None


class Pool(Protocol):
    """Runs attempts side by side and leaves the records of those that end well in a folder."""

    def has_room(self) -> bool:
        """Whether another attempt can be started now."""

    def start(self, attempt: Attempt) -> None:
        """Starts an attempt."""

    def wait(self, seconds: float) -> list[Ended]:
        """Waits until an attempt ends, but not longer than so many seconds; returns those that ended."""

    def steps(self) -> dict[Trial, int]:
        """The running trials and how many steps each has done, as far as is known."""

    def close(self, reason: str) -> None:
        """Ends what still runs and sets its records aside, with the reason."""


@dataclass
class _Running:
    attempt: Attempt
    process: subprocess.Popen[str]
    errors: Any
    step: int = 0


class LocalPool:
    """Processes on this machine.

    Args:
        folder: Folder of the records.
        jobs: Most trials at a time.
        trial_bytes: Memory that a trial needs; another one starts only where so much is available.
    """

    def __init__(self, folder: Path, jobs: int, trial_bytes: float = 0) -> None:
        self._folder, self._jobs, self._bytes = folder, jobs, trial_bytes
        self._running: list[_Running] = []
        self._ended: queue.SimpleQueue[_Running] = queue.SimpleQueue()

    def has_room(self) -> bool:
        """Whether fewer trials run than may, and one more fits into memory; a single one is always tried."""
        return len(self._running) < self._jobs and (not self._running or available_bytes() >= self._bytes)

    def start(self, attempt: Attempt) -> None:
        """Starts an attempt in a process of its own."""
        errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed when the process has ended
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.compare.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                **os.environ,
                **threads_environment(attempt.trial.threads),
                "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            },
            start_new_session=True,  # Ctrl-C ends this process, which then ends them in order
            text=True,
        )
        running = _Running(attempt, process, errors)
        self._running.append(running)
        # Its standard input stays open: if this process is killed, it closes, and the worker ends itself.
        with contextlib.suppress(BrokenPipeError):  # it died before it could read; its end is reported like any other
            process.stdin.buffer.write(pickle.dumps((attempt, self._folder)))  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        threading.Thread(target=self._follow, args=(running,), daemon=True).start()

    def _follow(self, running: _Running) -> None:
        for line in running.process.stdout or ():
            if line.startswith("step "):
                running.step = int(line.split()[1])
        running.process.wait()
        self._ended.put(running)

    def wait(self, seconds: float) -> list[Ended]:
        """Waits for one attempt to end; see `Pool.wait`."""
        try:
            ended = [self._ended.get(timeout=seconds)]
        except queue.Empty:
            return []
        while not self._ended.empty():
            ended.append(self._ended.get())
        return [self._end(running) for running in ended]

    def _end(self, running: _Running) -> Ended:
        self._running.remove(running)
        trial, process = running.attempt.trial, running.process
        error = None
        if not trial.record_path(self._folder).exists():  # a process may still die after its work is done
            running.errors.seek(0)
            error = f"{_how(process.returncode)}: {running.errors.read()[-TAIL:].strip() or 'without a word'}"
            set_aside(running_path(running.attempt, self._folder, process.pid), error)
        self._close(running)
        return Ended(running.attempt, error)

    @staticmethod
    def _close(running: _Running) -> None:
        streams: tuple[Any, ...] = (running.process.stdin, running.process.stdout, running.errors)
        for stream in streams:
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def steps(self) -> dict[Trial, int]:
        """Running trials and their steps."""
        return {running.attempt.trial: running.step for running in self._running}

    def close(self, reason: str) -> None:
        """Kills what still runs; see `Pool.close`."""
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.wait()
            set_aside(running_path(running.attempt, self._folder, running.process.pid), reason)
        while self._running:
            # Each is in the queue once its output was read to the end; only then may its streams be closed.
            ended = self._ended.get()
            self._running.remove(ended)
            self._close(ended)


def _how(code: int) -> str:
    """A process's exit code in words."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"
