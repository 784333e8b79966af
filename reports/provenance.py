"""Where every number comes from: machines, versions, commits, and the commands that make them again.

Every class of reports/sources that holds results has a method `origin() -> Origin`.
"""

import re
from typing import NamedTuple, Protocol

from reports.names import listing
from reports.results import Results
from reports.sources.asv_results import MISSING
from reports.sources.origin import Origin

_HASH = re.compile(r"\b[0-9a-f]{8,40}\b")


class Source(Protocol):
    """What every class of results has."""

    def origin(self) -> Origin:
        """Where its numbers come from."""


class Provenance(NamedTuple):
    """The chapter.

    Attributes:
        origins: an entry for each source.
        warnings: what to beware of when numbers of two sources are read together.
        missing: what the words for missing values of asv mean; empty without asv's results.
    """

    origins: list[Origin]
    warnings: list[str]
    missing: dict[str, str]


def provenance(results: Results) -> Provenance:
    """An entry for each source, in the order of the chapters that show them."""
    return Provenance(_origins(results), warnings(results), MISSING if results.histories else {})


def warnings(results: Results) -> list[str]:
    """What to beware of: sources of different commits, and conformance results of an unknown one."""
    found = [
        f"{conformance.name} does not say which commit was tested."
        for conformance in results.conformance
        if not conformance.commit
    ]
    of = {origin.name: commits for origin in _origins(results) if (commits := _commits(origin))}
    if len({commit for commits in of.values() for commit in commits}) > 1:
        sources = [f"{name} ({_some(commits)})" for name, commits in of.items()]
        found.append(f"What stands on this page is of different commits: {'; '.join(sources)}.")
    digests = {cell.environment.source for speed in results.speeds for cell in speed.cells if cell.environment.source}
    if len(digests) > 1:
        found.append(f"The step times are of {len(digests)} versions of alphaadam's source: their digests stand below.")
    return found


def _commits(origin: Origin) -> list[str]:
    """The beginnings of the commits' names."""
    named = [value for what, value in origin.facts if what in ("commit", "newest commit")]
    return list(dict.fromkeys(name[:8] for value in named for name in _HASH.findall(value)))


def _some(commits: list[str]) -> str:
    return listing([*commits[:3], *([f"{len(commits) - 3} more"] if len(commits) > 3 else [])])


def _origins(results: Results) -> list[Origin]:
    sources: list[Source] = [
        *results.comparisons,
        *results.speeds,
        *results.costs,
        *results.agreements,
        *results.gpus,
        *results.histories,
        *results.powers,
        *results.conformance,
    ]
    return [source.origin() for source in sources]
