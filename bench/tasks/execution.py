"""How a trial is carried out, which changes a task's results by rounding only."""

from __future__ import annotations

from dataclasses import dataclass

PARALLEL = ("none", "ddp", "fsdp", "sharded")
"""What `Execution.parallel` may be: PyTorch has "ddp" and "fsdp" (under torchrun), JAX "sharded"."""
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Execution:
    """How a trial is carried out. It belongs to a trial's record, not to the task's digest.

    Attributes:
        device: "cpu" or "cuda".
        compile: Whether PyTorch compiles the model (`torch.compile`); JAX and Keras always compile the whole step.
        micro_batches: Parts of equal size that a batch is cut into; their gradients are averaged before the step.
        parallel: How several devices share a step, one of `PARALLEL`.
    """

    device: str = "cpu"
    compile: bool = False
    micro_batches: int = 1
    parallel: str = "none"
