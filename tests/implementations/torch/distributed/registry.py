"""The checks that a group of processes runs together, by the size of the group."""

import re
from collections.abc import Callable

CHECKS: dict[int, dict[str, Callable[..., None]]] = {2: {}, 4: {}}
"""Size of the group -> name -> the check. One with a parameter is given the folder that all groups share."""


def check(size: int) -> Callable:
    """Register a function as a check of groups of a size."""

    def add(function: Callable) -> Callable:
        CHECKS[size][function.__name__] = function
        return function

    return add


def raises(error, words, function, *arguments):
    try:
        function(*arguments)
    except error as caught:
        said = str(caught)
    else:
        said = f"no {error.__name__}"
    assert re.search(words, said), said
