"""One sheet of the chapter for each file of conformance results: how it is called, and which results are the newest."""

from datetime import UTC, datetime
from typing import NamedTuple

from reports.anchors import endings
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
    ends = endings([item.name.removesuffix(".json") for item in results.conformance])
    return [
        Sheet(
            item,
            f": {item.name}" if several else "",
            end,
            {one.name: newest[one.name].name for one in item.adapters if newest[one.name] is not item},
        )
        for item, end in zip(results.conformance, ends, strict=True)
    ]


def _moment(conformance: Conformance) -> datetime:
    """When it ran; what does not say so is older than all else."""
    try:
        moment = datetime.fromisoformat(conformance.created)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
