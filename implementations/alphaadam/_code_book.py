"""The 256 values of dynamic tree quantisation, and how the code of a number is found by arithmetic.

Dettmers et al. (2021), arXiv 2110.02861. The values are 0, 1 and for each decade the middles of equal parts of
[0.1, 1] times a power of ten; with both signs, or unsigned twice as many parts. A code is the rank of its value.

A search among 256 values is slow wherever it is not a kernel of its own. But within a decade the values are evenly
spaced: the code is linear in the number, up to rounding down. So a number is compared with the edges of the decades
alone. Every room computes it so, with what stands here.
"""

from typing import NamedTuple

__all__ = ["SIGNED", "UNSIGNED", "CodeBook"]

_DECADES = 7


class CodeBook(NamedTuple):
    """Values, and the code of a size ``x`` in [0, 1] counted from that of 0.

    With the ``i`` for which ``edges[i - 1] < x <= edges[i]``, it is ``slopes[i] * x + offsets[i]`` rounded down, and
    no more than ``last[i]``. That is the nearest value's.

    Attributes:
        values: Of each code, ascending.
        zero: The code of 0. Codes of negative numbers are as far below it as those of positive ones are above, but
            for -1, which has none: -0.993 is the nearest.
        edges: Middles between the last value of a decade and the next value.
        slopes: Per decade, one more than edges: first what becomes 0, last what becomes 1.
        offsets: Per decade.
        last: Per decade, the code of its last value.
    """

    values: tuple[float, ...]
    zero: int
    edges: tuple[float, ...]
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    last: tuple[float, ...]


def _code_book(signed: bool) -> CodeBook:
    positive: list[float] = []
    slopes, offsets, last = [0.0], [0.0], [0.0]
    for decade in range(_DECADES):
        parts = 2**decade if signed else 2 ** (decade + 1)
        top = 10.0 ** (decade - _DECADES + 1)
        slopes.append(parts / (0.9 * top))
        offsets.append(len(positive) + 1 - parts / 9)
        positive += [top * (0.1 + 0.9 * (part + 0.5) / parts) for part in range(parts)]
        last.append(float(len(positive)))
    slopes.append(0.0)
    offsets.append(len(positive) + 1.0)
    last.append(len(positive) + 1.0)
    sizes = [0.0, *positive, 1.0]
    edges = [(sizes[int(end)] + sizes[int(end) + 1]) / 2 for end in last[:-1]]
    negative = [-x for x in reversed(positive)] if signed else []
    return CodeBook((*negative, *sizes), len(negative), tuple(edges), tuple(slopes), tuple(offsets), tuple(last))


#: For the first moment.
SIGNED = _code_book(True)
#: For the second moment.
UNSIGNED = _code_book(False)
