"""What has to be so before commits are measured: a clean tree, an idle machine that asv knows, and nobody else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import git, machine

BUSY = 0.25
"""Part of the cores that others may keep busy before it is worth a warning."""

WAIT = 30.0
"""Seconds to wait for another run: one that was killed a moment ago is still ending its processes."""


def check_clean(root: Path, benchmark_folder: str) -> None:
    """Checks that what lies in the working tree is what would be measured.

    Raises:
        ValueError: It is not.
    """
    if changed := git.changes(root, benchmark_folder):
        shown = ", ".join(line.strip() for line in changed[:5]) + (", …" if len(changed) > 5 else "")
        raise ValueError(
            f"the working tree has changes that are not committed ({shown}); asv measures commits, with the benchmarks"
            " of the working tree. Commit or stash them, or measure all the same with --allow-dirty"
        )


def warn_of_load() -> None:
    """Says so where other processes keep the machine busy: times would be theirs, too."""
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > BUSY * machine.cores():
        say(
            f"beware: {load:.1f} processes were running on {machine.cores()} cores in the last minute; end them first,"
            " or times will vary"
        )


def machine_file(name: str | None) -> str:
    """Writes what asv wants to know of this machine, if it does not know it yet, and returns the machine's name."""
    from asv.machine import Machine, MachineCollection
    from asv.util import UserError

    name = name or Machine.get_unique_machine_name()
    try:
        return MachineCollection.load(name)["machine"]
    except UserError:
        MachineCollection.save(name, {**Machine.get_defaults(), "machine": name})
        say(f"described this machine as {name!r} in {MachineCollection.get_machine_file_path()}")
        return name


@contextmanager
def alone(work: Path) -> Iterator[int]:
    """The only process that measures here; it gives a file descriptor that holds the lock as long as it is open.

    Raises:
        RuntimeError: Another one does.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as file:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            yield file.fileno()
            return
        deadline = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"another run measures here (it holds {work / 'lock'}); two at once would disturb each other:"
                        " wait for its end"
                    ) from None
                time.sleep(0.2)
        yield file.fileno()


def say(line: str) -> None:
    """Tells whoever waits."""
    print(f"track: {line}", file=sys.stderr, flush=True)
