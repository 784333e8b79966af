"""One step of AlphaAdam on one tensor, written to be read: the reference for every faster path."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from alphaadam._hyperparameters import alpha_cap


class StepDiagnostics(NamedTuple):
    """What one step decided for one tensor.

    Attributes:
        alpha: The strength, a 0-d float64 tensor.
        mask: The mask, bool, of the parameter's shape (for a complex parameter its shape as pairs of reals).
    """

    alpha: Tensor
    mask: Tensor


def step_tensor(
    parameter: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    masking: str,
    alpha: str | float,
    alpha_max: float | None,
    maximize: bool,
) -> StepDiagnostics:
    """Update ``parameter``, ``exp_avg`` and ``exp_avg_sq`` in place.

    Args:
        parameter: The tensor to update; float64, float32, bfloat16, float16 or complex.
        gradient: Its gradient, of the same shape.
        exp_avg: First moment before this step.
        exp_avg_sq: Second moment before this step.
        step: The number of this step, from 1.
        lr: Learning rate.
        betas: Decay rates of the moments.
        eps: Added to the root of the second moment after bias correction.
        weight_decay: Decoupled weight decay.
        masking: ``"async"``, ``"sync"`` or ``"none"``.
        alpha: ``"norm"``, ``"count"`` or a number.
        alpha_max: Cap of the rule, or None for the rule's own.
        maximize: Whether to negate the gradient.

    Returns:
        The alpha and the mask that this step used.
    """
    if torch.is_complex(parameter):  # real and imaginary parts are coordinates of their own
        parameter, gradient, exp_avg, exp_avg_sq = (
            torch.view_as_real(tensor) for tensor in (parameter, gradient, exp_avg, exp_avg_sq)
        )
    compute = torch.promote_types(parameter.dtype, torch.float32)
    beta1, beta2 = betas
    g = gradient.to(compute)
    if maximize:
        g = -g

    old_m = exp_avg.to(compute)
    new_m = old_m.lerp(g, 1 - beta1).to(exp_avg.dtype)
    new_v = exp_avg_sq.to(compute).mul(beta2).addcmul_(g, g, value=1 - beta2).to(exp_avg_sq.dtype)
    m, v = new_m.to(compute), new_v.to(compute)  # what follows sees the moments as they are stored
    mask = _mask(masking, old_m, m, g)
    exp_avg.copy_(new_m)  # only now: old_m is a view of it unless the dtypes differ
    exp_avg_sq.copy_(new_v)

    # Python floats are doubles: both bias corrections are exact to float64.
    denominator = (v.sqrt() / math.sqrt(1 - beta2**step)).add_(eps)
    # A*u is a product, not a selection: a NaN stays loud where the mask is 0. The bias correction of m is a factor
    # of the whole tensor that cancels in alpha, so it joins the learning rate below.
    masked_m = m * mask
    strength = _strength(alpha, alpha_max, masking, mask, m / denominator, masked_m / denominator)

    updated = parameter.to(compute) * (1 - lr * weight_decay)
    updated.addcdiv_(masked_m * strength.to(compute), denominator, value=-lr / (1 - beta1**step))
    parameter.copy_(updated)
    return StepDiagnostics(strength, mask)


def _mask(masking: str, old_m: Tensor, m: Tensor, g: Tensor) -> Tensor:
    """The mask, decided from signs: the float product of two small numbers underflows to 0 where its sign is +."""
    if masking == "none":
        return torch.ones_like(g, dtype=torch.bool)
    if masking == "sync":
        return m.sign() * g.sign() > 0
    return (old_m == 0) | (old_m.sign() * g.sign() > 0)


def _strength(
    alpha: str | float, alpha_max: float | None, masking: str, mask: Tensor, u: Tensor, masked_u: Tensor
) -> Tensor:
    """Alpha as a 0-d float64 tensor on the tensor's device; nothing here waits for the device."""
    one = torch.ones((), dtype=torch.float64, device=u.device)
    if not isinstance(alpha, str):
        return one * alpha
    if masking == "none" or u.numel() == 0:
        return one
    if alpha == "count":
        ratio = u.numel() / mask.sum().double()
    else:
        # ||u|| / ||A*u|| from what the mask keeps and drops: exactly 1 if it drops nothing, and never less. Squares of
        # float32 values are exact in float64 and do not underflow, so neither the number of threads nor the order of
        # summation shows in the float32 result.
        kept = torch.linalg.vector_norm(masked_u, dtype=torch.float64)
        dropped = torch.linalg.vector_norm(u - masked_u, dtype=torch.float64)
        ratio = torch.where(kept + dropped == 0, one, (1 + (dropped / kept).square()).sqrt())
    return ratio.clamp(max=alpha_cap(alpha, alpha_max))
