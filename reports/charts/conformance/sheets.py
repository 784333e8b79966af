"""One sheet of the chapter for each file of conformance results: how it is called, and which results are the newest."""

import itertools
import re
from datetime import UTC, datetime
from typing import NamedTuple

from reports.results import Results
from reports.sources.conformance import Conformance


class Sheet(NamedTuple):
    """One file of results.

    Attributes:
        conformance: what it holds.
        title: the end of its headings; "" where there is no other file.
        suffix: the end of its anchors; "" where there is no other file.
        replaced: adapters of which another file holds newer results, and that file's name.
    """

    conformance: Conformance
    title: str
    suffix: str
    replaced: dict[str, str]


def sheets(results: Results) -> list[Sheet]:
    """The sheets in the order of the files."""
    newest: dict[str, Conformance] = {}
    for item in sorted(results.conformance, key=_moment):
        newest |= {adapter.name: item for adapter in item.adapters}
    several = len(results.conformance) > 1
    made: dict[str, Sheet] = {}
    for item in results.conformance:
        slug = f"-{_slug(item.name)}" if several else ""
        # Names that differ, such as a/x.json and a-x.json, can give one slug.
        suffix = next(suffix for n in itertools.count(1) if (suffix := f"{slug}-{n}" if n > 1 else slug) not in made)
        replaced = {one.name: newest[one.name].name for one in item.adapters if newest[one.name] is not item}
        made[suffix] = Sheet(item, f": {item.name}" if several else "", suffix, replaced)
    return list(made.values())


def _moment(conformance: Conformance) -> datetime:
    """When it ran; what does not say so is older than all else."""
    try:
        moment = datetime.fromisoformat(conformance.created)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower().removesuffix(".json"))[:80].strip("-") or "file"
