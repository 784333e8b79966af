"""A comparison carried out: trials are started as the protocol asks for them, and what is done is not done again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.compare.plan import Plan
from bench.compare.pool import Ended, Pool
from bench.compare.trials import (
    RUNNING,
    Attempt,
    Trial,
    code_state,
    line_of,
    read_record,
    set_aside,
    summary,
)
from bench.records import write_text

ATTEMPTS = 2
"""A trial that dies is tried once more."""


class Progress:
    """Is told what happens; this one shows nothing."""

    def resumed(self, done: int) -> None:
        """So many trials, or so many more, were found finished."""

    def ended(self, trial: Trial, result: dict[str, Any]) -> None:
        """A trial ended: finished, diverged or failed."""

    def retried(self, trial: Trial, error: str) -> None:
        """A trial died and is tried again."""

    def show(self, pool: Pool, to_come: int) -> None:
        """Time passed; so many trials are wanted still, the running ones among them."""


def compare(
    plan: Plan,
    folder: Path,
    pool: Pool,
    progress: Progress | None = None,
    code: Callable[[], dict[str, Any]] = code_state,
) -> dict[Trial, dict[str, Any]]:
    """Runs the trials of a comparison that are not in `folder` yet.

    Args:
        plan: What is compared.
        folder: Where the records are and come to.
        pool: Runs the trials.
        progress: Is told what happens.
        code: Says what code a trial that starts now runs.

    Returns:
        A summary of every trial's record, see `bench.compare.trials.summary`.

    Raises:
        ValueError: A record in the folder is broken.
        RuntimeError: Another comparison runs in the folder.
    """
    progress = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for path in sorted(folder.glob(f".*{RUNNING}")):
            set_aside(path, "the comparison was killed while the trial ran")
        results: dict[Trial, dict[str, Any]] = {}
        running: set[Trial] = set()
        again: list[Attempt] = []
        reason = "the comparison ended with an error while the trial ran"
        try:
            while True:
                if found := _take_finished(plan, folder, results, running):
                    progress.resumed(found)
                waiting = [trial for trial in plan.wanted(results) if trial not in running]
                if not running and not again and not waiting:
                    return results
                attempts = again + [Attempt(trial) for trial in waiting if all(trial != a.trial for a in again)]
                while attempts and pool.has_room():
                    attempt = attempts.pop(0)
                    again = [other for other in again if other is not attempt]
                    pool.start(Attempt(attempt.trial, attempt.earlier, code()))
                    running.add(attempt.trial)
                for ended in pool.wait(1.0):
                    trial = ended.attempt.trial
                    running.discard(trial)
                    if ended.error is not None and len(ended.attempt.earlier) + 1 < ATTEMPTS:
                        progress.retried(trial, ended.error)
                        again.append(Attempt(trial, (*ended.attempt.earlier, ended.error)))
                        continue
                    results[trial] = _result(ended, folder)
                    progress.ended(trial, results[trial])
                progress.show(pool, plan.still_to_come(results))
        except KeyboardInterrupt:
            reason = "the comparison was interrupted while the trial ran"
            raise
        finally:
            pool.close(reason)


def _take_finished(plan: Plan, folder: Path, results: dict[Trial, dict[str, Any]], running: set[Trial]) -> int:
    """Reads the records that the plan asks for and that are there, until it asks for none of them.

    It may ask for some only when a search has ended, so this is done again after each trial.

    Returns:
        How many were read.
    """
    before = len(results)
    while True:
        wanted = (trial for trial in plan.wanted(results) if trial not in running)
        there = [trial for trial in wanted if trial.record_path(folder).exists()]
        if not there:
            return len(results) - before
        for trial in there:
            results[trial] = summary(read_record(trial.record_path(folder)))


def _result(ended: Ended, folder: Path) -> dict[str, Any]:
    """The summary of an attempt that was the last one; a failure gets a record of its own, which says why."""
    trial = ended.attempt.trial
    path = trial.failure_path(folder)
    if ended.error is None:
        path.unlink(missing_ok=True)
        return summary(read_record(trial.record_path(folder)))
    header = ended.attempt.header({}, {})
    footer = {"kind": "footer", "outcome": "failed", "error": ended.error}
    write_text(path, line_of(header) + line_of(footer))
    return summary(read_record(path))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second comparison out of the folder; the system lets go of the lock when this process ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RuntimeError(f"another comparison runs in {folder}; wait for it or give another folder") from error
    finally:
        os.close(lock)
