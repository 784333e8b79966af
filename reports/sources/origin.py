"""What a source says about where its numbers come from."""

from typing import NamedTuple


class Origin(NamedTuple):
    """One source of the page's numbers.

    Attributes:
        name: what was measured or tested.
        facts: (what, value) pairs such as the machine, processor, GPU, versions, commit, digests and seeds.
        command: what makes it again.
    """

    name: str
    facts: list[tuple[str, str]]
    command: str
