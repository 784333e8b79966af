"""One trial in a process of its own: ``python -m bench.compare.worker``, which `bench.compare.pool` starts.

It reads its attempt and folder from standard input, pickled, and writes "step N" lines to standard output. Standard
input stays open as long as the process that wants the trial lives: when it closes, this process ends at once.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.compare.trials import RUNNING, Attempt, footer_of, line_of, observed
from bench.names import load_framework, source_of


def perform(
    attempt: Attempt,
    write: Callable[[str], Any],
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    place: Mapping[str, Any] | None = None,
) -> None:
    """Runs a trial and writes its record, line by line.

    Args:
        attempt: The trial.
        write: Called with each line, which ends with a line break.
        progress: As `bench.training.train` calls it.
        place: Where it runs, for the header.
    """
    import alphaadam
    from bench.training import train

    trial = attempt.trial
    module = load_framework(trial.framework)
    source = source_of(trial.optimizer, module.LIBRARIES)
    versions = {source["library"]: source["version"], "alphaadam": alphaadam.__version__, **module.versions()}
    header = attempt.header(versions, place or {}, source)
    write(line_of(header))
    record = train(
        trial.task,
        trial.framework,
        trial.optimizer,
        trial.learning_rate,
        progress=progress,
        seed=trial.seed,
        data=trial.data,
        execution=trial.execution,
        validation_percents=trial.validation_percents,
        every=trial.every,
        directions=trial.directions,
        event=lambda line: write(line_of(observed(line, header["tensors"]))),
    )
    write(line_of(footer_of(record)))


def running_path(attempt: Attempt, folder: Path, process: int) -> Path:
    """The record of a running trial. It names its process, so no other can rename it."""
    return folder / f".{attempt.trial.name}.{process}{RUNNING}"


def _end_with_parent() -> None:
    # Not through sys.stdin: Python could not end while this thread holds it.
    while os.read(0, 1):
        pass
    os._exit(1)


def main() -> None:
    """Runs the trial that standard input gives, into its file."""
    attempt, folder = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path = running_path(attempt, folder, os.getpid())
    with open(path, "x", encoding="utf-8") as file:

        def write(line: str) -> None:
            file.write(line)
            file.flush()  # from here on it outlives this process

        perform(attempt, write, lambda step, steps, loss: print(f"step {step}", flush=True))
        os.fsync(file.fileno())
    os.replace(path, attempt.trial.record_path(folder))


if __name__ == "__main__":
    main()
