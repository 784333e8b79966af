"""How the commands of ``python -m bench`` read their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def names(kind: str, check: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Makes a reader of names with commas between them.

    Args:
        kind: What they name, for argparse's messages.
        check: Returns a name that is valid, and raises ValueError for another.
    """

    def parse(text: str) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(check(name) for name in text.split(",")))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    parse.__name__ = kind
    return parse


def whole_number(text: str) -> int:
    """Reads a whole number > 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number > 0")
    return int(text)
