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

    # Where arithmetic and storage have the same dtype, m, v and theta are the stored tensors themselves, updated in
    # place. Elsewhere they are wider copies, and what follows reads the moments again as they are stored.
    m, v, theta = exp_avg.to(compute), exp_avg_sq.to(compute), parameter.to(compute)
    mask = _agree(m, g).logical_or_(m == 0) if masking == "async" else None
    m = _store(m.lerp_(g, 1 - beta1), exp_avg)
    v = _store(v.mul_(beta2).addcmul_(g, g, value=1 - beta2), exp_avg_sq)
    if mask is None:
        mask = _agree(m, g) if masking == "sync" else torch.ones_like(g, dtype=torch.bool)

    # Python floats are doubles: both bias corrections are exact to float64. That of m is a factor of the whole tensor,
    # which cancels in alpha and joins the learning rate below.
    denominator = v.sqrt().div_(math.sqrt(1 - beta2**step)).add_(eps)
    # A*u is a product, not a selection: a NaN stays loud where the mask is 0.
    masked_m = m * mask
    strength = _strength(alpha, alpha_max, masking, mask, m, masked_m, denominator)

    theta.mul_(1 - lr * weight_decay)
    theta.addcdiv_(masked_m.mul_(strength.to(compute)), denominator, value=-lr / (1 - beta1**step))
    _store(theta, parameter)
    return StepDiagnostics(strength, mask)


def _store(computed: Tensor, stored: Tensor) -> Tensor:
    """Round a result to where it is stored, unless it is there already; return it as later arithmetic sees it."""
    if computed.dtype == stored.dtype:
        return computed
    stored.copy_(computed)
    return stored.to(computed.dtype)


def _agree(a: Tensor, b: Tensor) -> Tensor:
    """Where both have the same sign, 0 and NaN having none. A product would underflow to 0 where its sign is +."""
    return ((a > 0) & (b > 0)).logical_or_((a < 0) & (b < 0))


def _strength(
    alpha: str | float,
    alpha_max: float | None,
    masking: str,
    mask: Tensor,
    m: Tensor,
    masked_m: Tensor,
    denominator: Tensor,
) -> Tensor:
    """Alpha as a 0-d float64 tensor on the tensor's device; nothing here waits for the device."""
    one = torch.ones((), dtype=torch.float64, device=m.device)
    if not isinstance(alpha, str):
        return one * alpha
    if masking == "none" or m.numel() == 0:
        return one
    if alpha == "count":
        ratio = m.numel() / mask.sum().double()
    else:
        # ||u|| / ||A*u|| from what the mask keeps and drops: exactly 1 if it drops nothing, and never less. Squares of
        # float32 values are exact in float64 and do not underflow, so neither the number of threads nor the order of
        # summation shows in the float32 result.
        kept = torch.linalg.vector_norm(masked_m / denominator, dtype=torch.float64)
        dropped = torch.linalg.vector_norm((m - masked_m).div_(denominator), dtype=torch.float64)
        ratio = torch.where(kept + dropped == 0, one, (1 + (dropped / kept).square()).sqrt())
    return ratio.clamp(max=alpha_cap(alpha, alpha_max))
