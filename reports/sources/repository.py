"""What a git repository knows of the commits that results name: asv's files hold their hashes and dates only."""

import argparse
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from asv.util import load_json

from reports.sources.error import SourceError
from reports.sources.fields import words

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Known(NamedTuple):
    """A commit in the repository: its place in the history, parents before children, and its subject."""

    position: int
    subject: str


@dataclass(frozen=True)
class Repository:
    """Where subjects and links of commits come from.

    Attributes:
        path: a folder in the repository; one that is in none knows no commit.
        url: what precedes a hash in the address that shows a commit; empty for no links.
    """

    path: Path | None = None
    url: str = ""

    def usable(self) -> bool:
        """Whether git finds a repository at the path."""
        return self.path is not None and bool(self._git("rev-parse", "--git-dir"))

    def known(self, hashes: Iterable[str]) -> dict[str, Known]:
        """Those of the commits that the repository has."""
        asked = [name for name in sorted(hashes) if HASH.fullmatch(name)]
        if self.path is None or not asked:
            return {}
        # One hash that is not there would stop the list of all others.
        there = self._git("cat-file", "--batch-check=%(objecttype) %(objectname)", given=asked).split("\n")
        wanted = {line.removeprefix("commit ") for line in there if line.startswith("commit ")}
        if not wanted:
            return {}
        lines = self._git(
            "rev-list", "--stdin", "--date-order", "--reverse", "--format=%H %s", given=sorted(wanted)
        ).split("\n")
        # Each commit has two lines: a header of git's own, and what was asked for.
        pairs = (line.partition(" ") for line in lines[1::2])
        return {name: Known(place, words(text)) for place, (name, _, text) in enumerate(pairs) if name in wanted}

    def resolve(self, name: str) -> str:
        """The hash of what a person calls a commit, such as "main" or "HEAD~3"; empty where git knows no such name."""
        if self.path is None:
            return ""
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()

    def link(self, name: str) -> str:
        """Where a commit is shown; empty where no address is configured or the name is no hash."""
        return self.url + name if self.url and HASH.fullmatch(name) else ""

    def _git(self, *arguments: str, given: Iterable[str] = ()) -> str:
        """What git answers to these lines: nothing where there is no repository, no such commit or no git."""
        lines = "".join(f"{line}\n" for line in given)
        # A clone without its objects would fetch them, and a report asks nothing of the network.
        environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
        try:
            done = subprocess.run(
                ["git", "-C", str(self.path), *arguments], input=lines.encode(), capture_output=True, env=environment
            )
        except (OSError, ValueError):  # no git; a null byte in a name
            return ""
        return "" if done.returncode else done.stdout.decode("utf-8", "replace")


NO_REPOSITORY = Repository()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --repository and --commit-url."""
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="FOLDER",
        help="git repository that knows the subjects of the commits (default: the current folder, if it is in one)",
    )
    parser.add_argument(
        "--commit-url",
        metavar="URL",
        help="what precedes a hash in the address that shows a commit, such as https://HOST/OWNER/NAME/commit/ "
        "(default: show_commit_url in the repository's asv.conf.json; without either there are no links)",
    )


def from_arguments(options: argparse.Namespace) -> Repository:
    """The repository that these options name.

    Raises:
        SourceError: The address is none of the web, or the folder that was named is in no repository.
    """
    folder = options.repository or Path()
    if options.repository is not None and not Repository(folder).usable():
        raise SourceError(
            f"--repository {folder}: git finds no repository there. Name a folder inside one, or leave the option out."
        )
    if options.commit_url is None:
        return Repository(folder, _configured(folder / "asv.conf.json"))
    if options.commit_url and not _of_the_web(options.commit_url):
        raise SourceError(f"--commit-url {options.commit_url!r} begins with neither https:// nor http://.")
    return Repository(folder, options.commit_url)


def as_arguments(options: argparse.Namespace) -> list[str]:
    """What has to be written on the command line to get these options again."""
    written = ["--repository", str(options.repository)] if options.repository is not None else []
    return written + (["--commit-url", options.commit_url] if options.commit_url is not None else [])


def _configured(path: Path) -> str:
    try:
        url = load_json(str(path), js_comments=True).get("show_commit_url")
    except Exception:  # asv itself complains about its configuration; a report does not need it
        return ""
    return url if isinstance(url, str) and _of_the_web(url) else ""


def _of_the_web(url: str) -> bool:
    """A link to anything else, such as javascript:, would run instead of lead."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.netloc)
