"""Progress of a comparison on stderr: a line that is rewritten on a terminal, plain lines in a log."""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from bench.compare.pool import Pool
from bench.compare.sweep import Progress
from bench.compare.trials import Trial

WIDTH = 24
"""Characters of the bar."""


class Lines(Progress):
    """A plain line for each trial that ends, and on a terminal a bar below them.

    Args:
        jobs: Trials that run at a time.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._terminal = sys.stderr.isatty()
        self._seconds: list[float] = []
        self._begun: dict[Trial, float] = {}
        self._said: list[str] = []
        self._done = self._failed = 0

    def resumed(self, done: int) -> None:
        """Says what is not run again."""
        self._done += done
        self._say(f"{done} trials are finished already and are not run again")

    def ended(self, trial: Trial, result: dict[str, Any]) -> None:
        """Says how a trial ended and how long all will take."""
        self._done += 1
        if trial in self._begun:
            self._seconds.append(time.monotonic() - self._begun.pop(trial))
        words = result["outcome"]
        if words == "finished":
            words = f"loss {result['validation'][100]['loss']:.4f}"
        elif words == "diverged":
            words = f"diverged at step {result['divergedAtStep']}"
        else:
            self._failed += 1
            words = f"failed: {_last_line(result['error'])}"
        self._say(f"{trial}: {words}")

    def retried(self, trial: Trial, error: str) -> None:
        """Says what happened."""
        self._begun.pop(trial, None)
        self._say(f"{trial}: {_last_line(error)}; it is tried once more")

    def show(self, pool: Pool, to_come: int) -> None:
        """Shows the bar, and remembers when each trial began."""
        now = time.monotonic()
        running = pool.steps()
        for trial in running:
            self._begun.setdefault(trial, now)
        ahead = 0.0  # trials, the done parts of running ones left out
        if to_come:
            parts = sum(step / trial.task.steps for trial, step in running.items())
            ahead = max(0.0, to_come - parts)
        seconds = self._seconds or [
            (now - self._begun[trial]) * trial.task.steps / step for trial, step in running.items() if step
        ]
        left = f"about {_duration(statistics.fmean(seconds) * ahead / self._jobs)} left" if seconds else ""
        whole = self._done + to_come
        if self._terminal and whole:
            filled = round(WIDTH * (whole - ahead) / whole)
            bar = "█" * filled + "·" * (WIDTH - filled)
            text = f"{bar} {self._done} of {whole} trials, {len(running)} running, {self._failed} failed {left}"
            print(f"\r\x1b[K{text}", end="" if to_come else "\n", file=sys.stderr, flush=True)
        for text in self._said:
            print(f"[{self._done} of {whole}{', ' + left if left else ''}] {text}", file=sys.stderr, flush=True)
        self._said.clear()

    def _say(self, text: str) -> None:
        if self._terminal:
            print(f"\r\x1b[K{text}", file=sys.stderr, flush=True)
        else:
            self._said.append(text)  # said with the numbers that it leads to


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[0] if len(lines) == 1 else f"{lines[0].split(': ')[0]}: {lines[-1]}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
