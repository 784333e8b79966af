"""What links to parts of the page end with: made of names that may come from a file, and never the same twice."""

import re
from collections.abc import Iterable

LONGEST = 60


def slug(*parts: str) -> str:
    """Names as one anchor; it has no two hyphens in a row, so these can part what the page adds to it."""
    words = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:LONGEST].strip("-") for part in parts)
    return "-".join(filter(None, words)) or "unnamed"


def unique(anchor: str, taken: set[str]) -> str:
    """The anchor, with a number if there is one of the name; it counts as taken from now on."""
    found, number = anchor, 1
    while found in taken:
        number += 1
        found = f"{anchor}-{number}"
    taken.add(found)
    return found


def unlike(anchors: Iterable[str]) -> list[str]:
    """The same anchors, where one that was there before gets a number: each leads to one thing."""
    taken: set[str] = set()
    return [unique(anchor, taken) for anchor in anchors]


def endings(names: list[str]) -> list[str]:
    """What tells the anchors of several things of a kind apart; nothing for one alone."""
    return [f"-{end}" for end in unlike(map(slug, names))] if len(names) > 1 else [""] * len(names)
