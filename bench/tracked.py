"""What asv wants to know of a benchmark, said in one line above it."""

from collections.abc import Callable
from typing import TypeVar

Method = TypeVar("Method", bound=Callable[..., float])


def tracked(unit: str, version: str) -> Callable[[Method], Method]:
    """Marks a benchmark's method with its unit and its version.

    asv drops a benchmark's history when its version changes, so the version is raised exactly when figures
    before and after cannot be compared. (asv's default, a hash of the source, would drop it for a comment.)
    """

    def mark(method: Method) -> Method:
        vars(method).update(unit=unit, version=version)
        return method

    return mark
