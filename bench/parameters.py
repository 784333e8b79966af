"""Which parameters of GPT-2 an optimizer takes, by name, the same in every framework.

Every optimizer takes every tensor, but for those whose rule is for matrices, and 8-bit Adam. The former take the hidden
matrices: the weights in the blocks. Embeddings, layer norms and biases then go to AdamW, with the task's betas, epsilon
and weight decay and the same learning rate. 8-bit Adam leaves the embeddings to AdamW alone, as its authors do: a token
that is rare has second moments unlike those of its block.

In either case weight decay is for tensors of two dimensions, embeddings among them, and for no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

EVERY = "every tensor"
HIDDEN = "hidden matrices"
NO_EMBEDDINGS = "every tensor but embeddings"

RULES = MappingProxyType(
    {**dict.fromkeys(("muon", "root", "conda", "galore", "ldadam"), HIDDEN), "adam-8bit": NO_EMBEDDINGS}
)
"""Optimizers that do not take every tensor."""
EMBEDDINGS = ("wte", "wpe")
"""What names of embeddings begin with."""
OTHERS = "adamw"
"""What takes the tensors that they leave."""


def taken(optimizer: str, shapes: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Names of the tensors that an optimizer takes by its own rule.

    Args:
        optimizer: A name of `bench.names.COMPARED`.
        shapes: Shapes by name, as `bench.tasks.parameter_shapes` names them.
    """
    belongs = {
        EVERY: lambda name: True,
        HIDDEN: lambda name: name.startswith("h.") and len(shapes[name]) == 2,
        NO_EMBEDDINGS: lambda name: not name.startswith(EMBEDDINGS),
    }[RULES.get(optimizer, EVERY)]
    return tuple(name for name in shapes if belongs(name))


Partition = tuple[int, Any] | None
"""One block as None, or an axis and the size of blocks along it, or an axis and (length, size) of its parts."""


def blocks(shapes: Mapping[str, Sequence[int]], head_width: int) -> dict[str, Partition]:
    """The blocks of each tensor that Adam-mini keeps one second moment for, as its authors partition a Transformer.

    Heads of queries and keys, output neurons of values and of other projections, rows of embeddings, elements of
    biases; the weight of a layer norm is one block. A projection's weight is (inputs, outputs).

    Args:
        shapes: Shapes by name, as `bench.tasks.parameter_shapes` names them.
        head_width: Outputs of a head.
    """

    def partition(name: str, shape: Sequence[int]) -> Partition:
        if name.endswith("c_attn.weight"):
            width = shape[1] // 3
            return 1, [(2 * width, head_width), (width, 1)]
        if len(shape) == 2:
            return (0 if name.startswith(EMBEDDINGS) else 1), 1
        return (0, 1) if name.endswith("bias") else None

    return {name: partition(name, shape) for name, shape in shapes.items()}


def named(values: Iterable[Any]) -> dict[str, tuple[int, ...]]:
    """Shapes by names for tensors that have none, such that all matrices are hidden ones."""
    return {f"h.{number}": value.shape for number, value in enumerate(values)}


def described(optimizer: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The same for a record, ready for JSON: "rule", "tensors", and "others", what takes the rest, or null."""
    names = taken(optimizer, shapes)
    return {
        "rule": RULES.get(optimizer, EVERY),
        "tensors": list(names),
        "others": OTHERS if len(names) < len(shapes) else None,
    }
