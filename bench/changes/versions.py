"""The package ``alphaadam`` of a commit, or of the working tree, in a folder of its own."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.git import archive, output

ROOT = Path(__file__).parents[2]
PACKAGES = "implementations"
"""Folder of the repository that holds the package. It is pure Python: a copy is as good as an installation."""
WORKING_TREE = "working tree"


@dataclass(frozen=True)
class Version:
    """A version of the code that can be imported.

    Attributes:
        name: What was asked for, "HEAD~1" or `WORKING_TREE`.
        commit: The full hash; of the working tree the one of HEAD.
        subject: First line of the commit's message.
        digest: Of the package's files: two versions of one digest do not differ in their code.
        folder: What must stand in Python's path.
    """

    name: str
    commit: str
    subject: str
    digest: str
    folder: Path


def git(*arguments: str, root: Path = ROOT) -> str:
    """What git prints.

    Raises:
        ValueError: git refuses; the message is its own.
    """
    return output(root, *arguments).decode().strip()


def version(name: str | None, into: Path, root: Path = ROOT) -> Version:
    """Copies the package of a revision to a folder of its own.

    Args:
        name: What git understands as a commit; None is the working tree with its uncommitted changes.
        into: Folder for the copies. A version that is there is not copied again.
        root: The repository.

    Raises:
        ValueError: There is no such commit, or it has no package.
    """
    commit = git("rev-parse", "--verify", f"{name or 'HEAD'}^{{commit}}", root=root)
    subject = git("log", "-1", "--format=%s", commit, root=root)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".") as temporary:
        if name is None:
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(root / PACKAGES, Path(temporary, PACKAGES), ignore=ignored)
        else:
            try:
                files_of_commit = archive(root, commit, PACKAGES)
            except ValueError as error:
                raise ValueError(f"{name} cannot be measured: {error}") from error
            with tarfile.open(fileobj=io.BytesIO(files_of_commit)) as files:
                files.extractall(temporary, filter="data")
        digest = _digest(Path(temporary, PACKAGES))
        folder = into / digest
        if not folder.exists():
            os.replace(Path(temporary, PACKAGES), folder)
    return Version(name or WORKING_TREE, commit, subject, digest, folder)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
