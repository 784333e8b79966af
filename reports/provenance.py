"""Where every number comes from: machines, versions, commits, and the commands that make them again."""

from typing import NamedTuple

from reports.results import Results


class Origin(NamedTuple):
    """One source of the page's numbers.

    Attributes:
        name: what was measured or tested.
        facts: (what, value) pairs such as the machine, versions, commit and seeds.
        command: what makes it again.
    """

    name: str
    facts: list[tuple[str, str]]
    command: str


def provenance(results: Results) -> list[Origin]:
    """An entry for each source, in the order of the chapters that show them."""
    sources = (*results.comparisons, *results.speeds, *results.histories, *results.powers, *results.conformance)
    return [source.origin() for source in sources if hasattr(source, "origin")]
