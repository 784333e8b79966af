"""The step over lists of tensors at once: few launches where there are many small tensors, and what compiles well."""

from typing import Any

import torch
from torch import Tensor

from alphaadam.torch._loop import agree, bias_corrections, compute_dtype
from alphaadam.torch._settings import Begun, Settings, StepDiagnostics, Tensors, strengths

__all__ = ["begin", "step"]


def step(tensors: Tensors, settings: Settings) -> list[StepDiagnostics] | None:
    """Carry out one step; temporaries of all tensors, over four times the bytes of the parameters, live at once.

    Args:
        tensors: What to update in place.
        settings: Of the group.

    Returns:
        Diagnostics of each tensor if they are recorded, else None.
    """
    sums, finish = begin(tensors, settings)
    return finish(sums)


def begin(tensors: Tensors, settings: Settings) -> Begun:
    """Update the moments of every tensor; finish the step once the sums over all shards are known."""
    params, grads, exp_avgs, exp_avg_sqs, steps = map(list, tensors)
    compute = compute_dtype(params[0].dtype)
    wide = compute == params[0].dtype
    g = grads if wide else _widened(grads, compute)
    if settings.maximize:
        g = list(torch._foreach_neg(g))
    torch._foreach_add_(steps, 1)

    m, v = (exp_avgs, exp_avg_sqs) if wide else (_widened(exp_avgs, compute), _widened(exp_avg_sqs, compute))
    masks = [agree(a, b).logical_or_(a == 0) for a, b in zip(m, g, strict=True)] if settings.masking == "async" else []
    torch._foreach_lerp_(m, g, 1 - settings.beta1)
    torch._foreach_mul_(v, settings.beta2)
    torch._foreach_addcmul_(v, g, g, 1 - settings.beta2)
    if not wide:  # later arithmetic reads the moments as they are stored
        for computed, stored in ((m, exp_avgs), (v, exp_avg_sqs)):
            torch._foreach_copy_(stored, computed)
            torch._foreach_copy_(computed, stored)
    if settings.masking == "sync":
        masks = [agree(a, b) for a, b in zip(m, g, strict=True)]
    elif settings.masking == "none":
        masks = [torch.ones_like(a, dtype=torch.bool) for a in m]

    corrections: list[tuple[Any, Any]] = [bias_corrections(count, settings) for count in steps]
    denominators = list(torch._foreach_sqrt(v))
    torch._foreach_div_(denominators, [root for _, root in corrections])
    torch._foreach_add_(denominators, settings.eps)
    masked = [a * mask for a, mask in zip(m, masks, strict=True)]  # a product: a NaN stays loud where the mask is 0

    def finish(sums: Tensor) -> list[StepDiagnostics] | None:
        alphas = list(strengths(sums, settings).unbind())
        lr = settings.lr
        theta = params if wide else _widened(params, compute)
        torch._foreach_mul_(theta, 1 - lr * settings.weight_decay)
        if settings.by_tensor:
            factors = [alpha * (-lr / first) for alpha, (first, _) in zip(alphas, corrections, strict=True)]
            torch._foreach_mul_(masked, [factor.to(compute) for factor in factors])
            torch._foreach_addcdiv_(theta, masked, denominators)
        else:
            torch._foreach_mul_(masked, [alpha.to(compute) for alpha in alphas])
            torch._foreach_addcdiv_(theta, masked, denominators, [-lr / first for first, _ in corrections])
        if not wide:
            torch._foreach_copy_(params, theta)
        if not settings.record:
            return None
        return [StepDiagnostics(alpha, mask) for alpha, mask in zip(alphas, masks, strict=True)]

    return Begun(_sums(m, masked, masks, denominators, [root for _, root in corrections], settings), finish)


def _sums(
    m: list[Tensor],
    masked: list[Tensor],
    masks: list[Tensor],
    denominators: list[Tensor],
    roots: list[Any],
    settings: Settings,
) -> Tensor:
    """What each mask keeps and drops, as in :class:`Begun`."""
    if not settings.measures:
        return torch.zeros(len(m), 2, dtype=torch.float64, device=m[0].device)
    if settings.alpha == "count":
        kept = torch.stack([mask.sum(dtype=torch.float64) for mask in masks])
        return torch.stack([kept, kept.new_tensor([mask.numel() for mask in masks]) - kept], dim=1)
    norms: list[Tensor] = []
    for part in (torch._foreach_div(masked, denominators), torch._foreach_sub(m, masked)):
        u = list(part)
        if norms:
            torch._foreach_div_(u, denominators)
        lengths = torch._foreach_norm(u, 2, dtype=torch.float64)
        norms.append(torch.stack(list(torch._foreach_div(lengths, roots))))  # in the unit of every path
    return torch.stack(norms, dim=1).square()


def _widened(tensors: list[Tensor], compute: torch.dtype) -> list[Tensor]:
    return [tensor.to(compute) for tensor in tensors]
