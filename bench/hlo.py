"""What XLA made of a function, read from the text of its optimised HLO."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?[\w.\-]+ = (\(.*?\)|\S+) ([a-z][\w\-]*)\(")
_CALLED = re.compile(r"\b(?:to_apply|body|calls)=%?([\w.\-]+)")
_SIZES = re.compile(r"\w+\[([\d,]*)\]")

_NO_KERNELS = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "call", "while", "copy-done"}
"""Instructions that only name memory, or whose work is in other computations that are read too."""


def read_hlo(text: str, sizes: Collection[int]) -> dict[str, int]:
    """Counts what runs when a compiled function is called.

    Args:
        text: The optimised HLO.
        sizes: Numbers of elements of the arrays whose copies count.

    Returns:
        "kernels": instructions that run; "fusions": those of them that are fusions; "copies": those that only copy an
        array of one of the sizes.
    """
    computations: dict[str, list[tuple[str, str, str, bool]]] = {}
    entry = ""
    for line in text.splitlines():
        if begins := _COMPUTATION.match(line):
            current = computations[begins[2]] = []
            entry = begins[2] if begins[1] else entry
        elif found := _INSTRUCTION.match(line):
            called = _CALLED.search(line)
            current.append((found[3], found[2], called[1] if called else "", bool(found[1])))

    def running(name: str) -> Iterator[tuple[str, str, str]]:
        for opcode, shape, called, _ in computations[name]:
            if opcode in ("call", "while"):
                yield from running(called)
            elif opcode not in _NO_KERNELS:
                yield opcode, shape, called

    def only_copies(opcode: str, called: str) -> bool:
        if opcode == "fusion":  # XLA wraps single instructions into fusions for some devices
            (opcode,) = (opcode for opcode, _, _, is_root in computations[called] if is_root)
        return opcode in ("copy", "copy-start")

    kernels = list(running(entry))
    return {
        "kernels": len(kernels),
        "fusions": sum(opcode == "fusion" for opcode, _, _ in kernels),
        "copies": sum(only_copies(opcode, called) and _elements(shape) in sizes for opcode, shape, called in kernels),
    }


def _elements(shape: str) -> int:
    """Of the first array in a shape."""
    found = _SIZES.search(shape)
    return math.prod(int(size) for size in found[1].split(",") if size) if found else 0
