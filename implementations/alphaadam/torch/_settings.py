"""What one step of a parameter group is told, whichever path carries it out."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from alphaadam._hyperparameters import alpha_cap

__all__ = ["Begun", "Settings", "StepDiagnostics", "Tensors", "measured_strengths", "strengths"]


class StepDiagnostics(NamedTuple):
    """What one step decided for one tensor.

    Attributes:
        alpha: The strength, a 0-d float64 tensor.
        mask: The mask, bool, of the parameter's shape (for a complex parameter its shape as pairs of reals, for a
            sharded one the shape of this rank's shard).
    """

    alpha: Tensor
    mask: Tensor


class Tensors(NamedTuple):
    """Tensors of one step, index by index; real, on one device, of one dtype.

    ``steps`` are 0-d float32 tensors, each the number of steps its parameter took before this one.
    """

    params: Sequence[Tensor]
    grads: Sequence[Tensor]
    exp_avgs: Sequence[Tensor]
    exp_avg_sqs: Sequence[Tensor]
    steps: Sequence[Tensor]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hyperparameters of a group, and how its step is to be carried out.

    Attributes:
        lr: Learning rate; a tensor if ``by_tensor``, or for the kernels of a GPU, which read it there.
        by_tensor: Whether bias corrections are computed from the step tensors, never waiting for their device.
        record: Whether to return diagnostics.
        grad_scale: The factor by which a ``torch.amp.GradScaler`` multiplied the loss, or None; fused paths only.
        found_inf: 1 where a GradScaler met a gradient that is not finite, and the step must do nothing.
    """

    lr: float | Tensor
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    masking: str
    alpha: str | float
    alpha_max: float | None
    maximize: bool
    by_tensor: bool = False
    differentiable: bool = False
    record: bool = False
    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    @property
    def measures(self) -> bool:
        """Whether alpha depends on the tensor, so that the whole of it must be seen before it is updated."""
        return isinstance(self.alpha, str) and self.masking != "none"

    @property
    def fixed_alpha(self) -> float:
        """Alpha where it does not depend on the tensor."""
        return 1.0 if isinstance(self.alpha, str) else float(self.alpha)

    @property
    def cap(self) -> float:
        """The largest alpha; only where it is measured."""
        assert isinstance(self.alpha, str)
        return alpha_cap(self.alpha, self.alpha_max)


class Begun(NamedTuple):
    """A step that has updated the moments and is to be finished once alpha is known.

    Attributes:
        sums: Per tensor, what the mask keeps and what it drops: of coordinates for ``alpha="count"``; for ``"norm"``
            of squares of u, or of ``m / (sqrt(v) + eps * sqrt(1 - beta2**t))``, which differs by a factor of the whole
            tensor: one unit for every path, since ranks may take different ones. Shape ``[tensors, 2]``, float64; of
            zeros where alpha is fixed. A sharded tensor's sums are those of its shard, and are replaced by the sum
            over all shards before the step is finished.
        finish: Updates the parameters, given the sums, and returns diagnostics where they are recorded.
    """

    sums: Tensor
    finish: Callable[[Tensor], list[StepDiagnostics] | None]


def strengths(sums: Tensor, settings: Settings) -> Tensor:
    """Alpha from what the mask keeps and drops.

    ``(kept + dropped) / kept`` is exactly 1 if nothing is dropped and never less than 1, and two sums of nonnegative
    terms lose nothing to cancellation.

    Args:
        sums: As in :class:`Begun`.
        settings: Of the group.

    Returns:
        Shape ``[tensors]``, float64.
    """
    if not settings.measures:
        return torch.full(sums.shape[:-1], settings.fixed_alpha, dtype=torch.float64, device=sums.device)
    return measured_strengths(sums, str(settings.alpha), settings.cap)


def measured_strengths(sums: Tensor, alpha: str, cap: float) -> Tensor:
    """The same for one of the rules that measure, ``"norm"`` or ``"count"``, and its cap."""
    kept, dropped = sums.unbind(-1)
    nothing_kept = kept == 0
    # Nothing kept and nothing dropped is an empty tensor or u = 0. The inner `where` keeps gradients finite.
    limit = torch.where(dropped == 0, 1.0, torch.where(dropped.isnan(), dropped, cap)).to(sums.dtype)
    ratio = (kept + dropped) / torch.where(nothing_kept, 1.0, kept)
    if alpha == "norm":
        ratio = ratio.sqrt()
    return torch.where(nothing_kept, limit, ratio).clamp(max=cap)
