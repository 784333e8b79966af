"""How MicroAdam cuts a tensor into blocks, the same in every framework."""

import math
from typing import Any, NamedTuple

from alphaadam import _hyperparameters as checks

#: Places within a block are kept in 16 bits, with a sign.
LARGEST_BLOCK = 2**15


class Blocks(NamedTuple):
    """The blocks of a tensor, filled up with zeros to the same length.

    Attributes:
        number: How many there are.
        length: Elements of each.
        kept: How many of those are kept of a gradient.
    """

    number: int
    length: int
    kept: int

    @classmethod
    def of(cls, size: int, density: float, block_size: int) -> "Blocks":
        """Blocks of at most ``block_size`` elements, as equal as can be; one of a tensor without elements.

        Args:
            size: Elements of the tensor.
            density: The part of each block that is kept, rounded up.
            block_size: The most elements that a block may have.
        """
        number = max(1, math.ceil(size / block_size))
        length = max(1, math.ceil(size / number))
        return cls(number, length, min(math.ceil(density * length), length))

    @property
    def elements(self) -> int:
        """Elements of all blocks."""
        return self.number * self.length

    @property
    def bytes(self) -> int:
        """Bytes of four bits for each of them."""
        return (self.elements + 1) // 2


def check(window: Any, density: Any, block_size: Any, owner: str) -> None:
    """Check the hyperparameters that only MicroAdam has.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is out of range.
    """
    checks.check_count("window", window, "10", owner)
    checks.check_fraction("density", density, "0.01", owner)
    checks.check_count("block_size", block_size, "4096", owner, most=LARGEST_BLOCK)
