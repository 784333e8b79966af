"""The step tensor by tensor, written to be read: the reference for every faster path."""

import math

import torch
from torch import Tensor

from alphaadam.torch._settings import Begun, Settings, StepDiagnostics, Tensors, strengths

__all__ = ["agree", "begin", "bias_corrections", "compute_dtype", "step"]


def step(tensors: Tensors, settings: Settings) -> list[StepDiagnostics] | None:
    """Carry out one step, keeping temporaries of one tensor at a time.

    Args:
        tensors: What to update in place.
        settings: Of the group.

    Returns:
        Diagnostics of each tensor if they are recorded, else None.
    """
    diagnostics: list[StepDiagnostics] = []
    for one in zip(*tensors, strict=True):
        sums, finish = begin(Tensors(*([tensor] for tensor in one)), settings)
        diagnostics += finish(sums) or []
    return diagnostics if settings.record else None


def begin(tensors: Tensors, settings: Settings) -> Begun:
    """Update the moments of every tensor; finish the step once the sums over all shards are known.

    Between the two, a mask (a byte per element) and the denominator of u are kept.
    """
    measured = [_measure(*one, settings) for one in zip(*tensors[1:], strict=True)]  # type: ignore[call-arg]

    def finish(sums: Tensor) -> list[StepDiagnostics] | None:
        alphas = strengths(sums, settings).unbind()
        for theta, exp_avg, count, alpha, (mask, denominator, _) in zip(
            tensors.params, tensors.exp_avgs, tensors.steps, alphas, measured, strict=True
        ):
            _apply(theta, exp_avg, count, mask, denominator, alpha, settings)
        if not settings.record:
            return None
        return [StepDiagnostics(alpha, m[0]) for alpha, m in zip(alphas, measured, strict=True)]

    return Begun(torch.stack([sums for _, _, sums in measured]), finish)


def compute_dtype(stored: torch.dtype) -> torch.dtype:
    """The dtype of the arithmetic on tensors of a dtype: at least float32."""
    return torch.promote_types(stored, torch.float32)


def agree(a: Tensor, b: Tensor) -> Tensor:
    """Where both have the same sign, 0 and NaN having none. A product would underflow to 0 where its sign is +."""
    return ((a > 0) & (b > 0)).logical_or_((a < 0) & (b < 0))


def bias_corrections(count: Tensor, settings: Settings) -> tuple[float | Tensor, float | Tensor]:
    """``1 - beta1**t`` and ``sqrt(1 - beta2**t)``, both to float64: floats, or 0-d tensors if settings say so."""
    if settings.by_tensor:
        t = count.to(torch.float64)
        return 1 - settings.beta1**t, (1 - settings.beta2**t).sqrt()
    steps = count.item()
    return 1 - settings.beta1**steps, math.sqrt(1 - settings.beta2**steps)


def _measure(
    gradient: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, count: Tensor, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Update the moments; return the mask, the denominator of u, and the sums of what the mask keeps and drops."""
    # Where autograd records the step, a value that another one was computed from must stay what it was.
    div = Tensor.div if settings.differentiable else Tensor.div_
    compute = compute_dtype(exp_avg.dtype)
    g = gradient.to(compute)
    if settings.maximize:
        g = -g
    count += 1

    # Where arithmetic and storage have the same dtype, m and v are the stored tensors themselves, updated in place.
    # Elsewhere they are wider copies, and what follows reads the moments again as they are stored.
    m, v = exp_avg.to(compute), exp_avg_sq.to(compute)
    mask = agree(m, g).logical_or_(m == 0) if settings.masking == "async" else None
    m = _store(m.lerp_(g, 1 - settings.beta1), exp_avg)
    v = _store(v.mul_(settings.beta2).addcmul_(g, g, value=1 - settings.beta2), exp_avg_sq)
    if mask is None:
        mask = agree(m, g) if settings.masking == "sync" else torch.ones_like(g, dtype=torch.bool)

    # The other bias correction is a factor of the whole tensor, which cancels in alpha and joins the learning rate.
    _, root = bias_corrections(count, settings)
    denominator = div(v.sqrt(), root).add_(settings.eps)
    if not settings.measures:
        return mask, denominator, torch.zeros(2, dtype=torch.float64, device=m.device)
    if settings.alpha == "count":
        kept = mask.sum(dtype=torch.float64)
        return mask, denominator, torch.stack([kept, mask.numel() - kept])
    # Squares of float32 values are exact in float64 and do not underflow, so neither the number of threads nor the
    # order of summation shows in a float32 result.
    masked_m = m * mask
    norms = [torch.linalg.vector_norm(part / denominator, dtype=torch.float64) for part in (masked_m, m - masked_m)]
    return mask, denominator, torch.stack(norms).div(root).square()  # in the unit of every path


def _apply(
    parameter: Tensor,
    exp_avg: Tensor,
    count: Tensor,
    mask: Tensor,
    denominator: Tensor,
    alpha: Tensor,
    settings: Settings,
) -> None:
    """Decay and update one parameter."""
    lr = settings.lr
    correction, _ = bias_corrections(count, settings)
    theta = parameter.to(denominator.dtype)
    # A*u is a product, not a selection: a NaN stays loud where the mask is 0.
    masked_m = exp_avg.to(denominator.dtype) * mask
    theta.mul_(1 - lr * settings.weight_decay)
    if isinstance(correction, Tensor) or isinstance(lr, Tensor):
        theta.addcdiv_(masked_m.mul_((alpha * (-lr / correction)).to(theta.dtype)), denominator)
    else:
        theta.addcdiv_(masked_m.mul_(alpha.to(theta.dtype)), denominator, value=-lr / correction)
    _store(theta, parameter)


def _store(computed: Tensor, stored: Tensor) -> Tensor:
    """Round a result to where it is stored, unless it is there already; return it as later arithmetic sees it."""
    if computed.dtype == stored.dtype:
        return computed
    stored.copy_(computed)
    return stored.to(computed.dtype)
