"""The coefficients of ROOT's Newton-Schulz iteration, by the shape of the matrix, the same in every framework.

A shape is written "128x384", the smaller side first: a tall matrix is transposed before it is iterated on.
"""

import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from alphaadam._hyperparameters import is_number

Triple = tuple[float, float, float]

#: Iterations, all with the same coefficients.
ITERATIONS = 5

#: Muon's, for whatever shape has no others (Jordan 2024).
MUON: Triple = (3.4445, -4.7750, 2.0315)

#: Those that ROOT's authors publish:
#: https://github.com/huawei-noah/noah-research/tree/master/ROOT, examples/example_train.py.
PUBLISHED: dict[str, Triple] = {
    "2048x2048": (3.4916, -4.8224, 2.1095),
    "2048x3072": (3.4509, -4.5790, 1.9325),
    "2048x8192": (2.9794, -3.6674, 1.6207),
    "2048x16384": (3.1943, -3.8221, 1.5322),
}

NAMES = ("published", "fitted")

_WANTED = (
    "'published', 'fitted', three numbers, or a dict of three numbers by shape, such as "
    "{'128x384': (3.4445, -4.775, 2.0315)}, the smaller side first"
)


def check_coefficients(value: Any, owner: str) -> None:
    """Check what a user passes as ``coefficients``.

    Raises:
        TypeError: It is of no kind that is understood.
        ValueError: A name or shape is unknown, or something other than three finite numbers is given.
    """
    if isinstance(value, str):
        valid = value in NAMES
    elif isinstance(value, Mapping):
        valid = all(_is_shape(shape) and _is_triple(triple) for shape, triple in value.items())
    elif isinstance(value, Sequence):
        valid = _is_triple(value)
    else:
        raise TypeError(f"{owner}: coefficients={value!r} is not valid. Pass {_WANTED}.")
    if not valid:
        raise ValueError(f"{owner}: coefficients={value!r} is not valid. Pass {_WANTED}.")


def coefficients_for(shape: Sequence[int], value: Any) -> Triple:
    """The coefficients of all iterations on a matrix.

    Args:
        shape: The matrix's.
        value: What :func:`check_coefficients` accepts. A shape that it does not know gets the published coefficients,
            and one without those Muon's.
    """
    key = f"{min(shape)}x{max(shape)}"
    given: Any = PUBLISHED.get(key, MUON)
    if isinstance(value, Mapping):
        given = value.get(key, given)
    elif value == "fitted":
        given = fitted().get(key, given)
    elif value != "published":
        given = value
    a, b, c = map(float, given)
    return a, b, c


@functools.cache
def fitted() -> dict[str, list[float]]:
    """Those that ``python -m bench fit-root`` fitted, by shape."""
    text = resources.files("alphaadam").joinpath("_root_coefficients.json").read_text(encoding="utf-8")
    return {shape: entry["coefficients"] for shape, entry in json.loads(text)["shapes"].items()}


def _is_triple(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 3 and all(is_number(x) and math.isfinite(x) for x in value)


def _is_shape(value: Any) -> bool:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", value) if isinstance(value, str) else None
    return match is not None and int(match[1]) <= int(match[2])
