"""What is asked of git."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def output(root: Path, *arguments: str) -> bytes:
    """git's output.

    Raises:
        ValueError: git fails; the message is its own.
        FileNotFoundError: git is not installed.
    """
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def commits(root: Path, names: Sequence[str], last: int | None = None) -> list[str]:
    """Full hashes, the oldest first.

    Args:
        root: A folder of the repository.
        names: Commits, or ranges such as "v1..HEAD", of which the first parents count; empty is HEAD.
        last: Instead, the last so many commits up to HEAD.

    Raises:
        ValueError: git knows no such commit, or a range is empty.
    """
    if last is not None:
        found = _lines(root, "rev-list", "--first-parent", "--reverse", f"--max-count={last}", "HEAD")
    else:
        found = []
        for name in names or ["HEAD"]:
            if ".." in name:
                inside = _lines(root, "rev-list", "--first-parent", "--reverse", name, "--")
                if not inside:
                    raise ValueError(f"the range {name} holds no commit; the older one stands on the left")
                found += inside
            else:
                found += _lines(root, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return list(dict.fromkeys(found))


def changes(root: Path, folder: str) -> list[str]:
    """Files that differ from HEAD, and files in a folder that git does not know, which are used all the same."""
    return _lines(root, "status", "--porcelain", "--untracked-files=no") + _lines(
        root, "ls-files", "--others", "--exclude-standard", "--", folder
    )


def archive(root: Path, commit: str, *paths: str) -> bytes:
    """A commit's files, or those below some paths, as a tar archive."""
    return output(root, "archive", "--format=tar", commit, *paths)


def _lines(root: Path, *arguments: str) -> list[str]:
    return output(root, *arguments).decode().splitlines()
