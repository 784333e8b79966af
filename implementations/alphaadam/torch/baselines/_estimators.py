"""Estimates of the diagonal of the Hessian, as Sophia takes them."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["gauss_newton_bartlett", "hutchinson"]


def hutchinson(
    loss: Callable[[], Tensor], params: Iterable[Tensor], *, generator: torch.Generator | None = None
) -> dict[Tensor, Tensor]:
    r"""Hutchinson's unbiased estimate of the diagonal of the Hessian, :math:`u \odot H u` with normal :math:`u`.

    It costs as much as a few gradients, and memory for the graph of one. The model must not be compiled by
    ``torch.compile``, which does not differentiate twice; scaled dot-product attention is carried out in the one form
    that can be differentiated twice, whose memory grows with the square of the length.

    Args:
        loss: Computes the loss, a tensor of one element, from the parameters.
        params: Those to differentiate by.
        generator: Source of the random numbers, on the parameters' device; None for PyTorch's own.

    Returns:
        Parameter -> estimate, for every parameter that requires a gradient and that the loss depends on; float32 for
        half-precision parameters. The mean over several batches, processes or calls is an estimate with less variance.

    Raises:
        RuntimeError: A part of the model cannot be differentiated twice.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 1.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import hutchinson
        >>> x = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> generator = torch.Generator().manual_seed(0)
        >>> several = [hutchinson(lambda: (x**3).sum(), [x], generator=generator)[x] for _ in range(2000)]
        >>> bool((torch.stack(several).mean(0) - 6 * x).abs().max() < 1)
        True
    """
    wanted = [p for p in params if p.requires_grad]
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        found = torch.autograd.grad(loss(), wanted, create_graph=True, allow_unused=True)
    known = [(p, g) for p, g in zip(wanted, found, strict=True) if g is not None]
    directions = [torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device) for p, _ in known]
    # A gradient that depends on no parameter has no graph, and no curvature.
    curved = [(g, u) for (_, g), u in zip(known, directions, strict=True) if g.requires_grad]
    products: Iterable[Tensor | None] = [None] * len(known)
    if curved:
        gradients, outputs = zip(*curved, strict=True)
        products = torch.autograd.grad(gradients, [p for p, _ in known], outputs, allow_unused=True)
    return {
        p: torch.zeros_like(_wide(p)) if product is None else _wide(u) * _wide(product)
        for (p, _), u, product in zip(known, directions, products, strict=True)
    }


def gauss_newton_bartlett(
    logits: Callable[[], Tensor], params: Iterable[Tensor], *, generator: torch.Generator | None = None
) -> dict[Tensor, Tensor]:
    r"""The Gauss-Newton-Bartlett estimate of the diagonal of the Hessian of a mean cross-entropy, never negative.

    Labels are drawn from the model's own predictions, and the gradient :math:`\hat g` of the mean loss of those
    :math:`B` labels gives :math:`B\, \hat g \odot \hat g`. Its mean is the diagonal of the Gauss-Newton matrix. It
    costs about as much as one gradient.

    Args:
        logits: Computes logits from the parameters; the last axis is that of the classes, and every vector along it is
            one of the :math:`B` predictions: for a language model, of one token.
        params: Those to differentiate by.
        generator: Source of the random numbers, on the logits' device; None for PyTorch's own.

    Returns:
        Parameter -> estimate, for every parameter that requires a gradient and that the logits depend on; float32 for
        half-precision parameters. The
        mean over several batches, processes or calls is an estimate with less variance.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342, Algorithm 2.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import gauss_newton_bartlett
        >>> x = torch.nn.Parameter(torch.zeros(2))
        >>> gauss_newton_bartlett(lambda: x, [x])[x]  # the square of (1/2, -1/2), whichever label is drawn
        tensor([0.2500, 0.2500])
    """
    wanted = [p for p in params if p.requires_grad]
    with torch.enable_grad():
        found = logits()
        predictions = _wide(found.reshape(-1, found.shape[-1]))
        labels = torch.multinomial(predictions.detach().softmax(-1), 1, generator=generator).squeeze(1)
        loss = functional.cross_entropy(predictions, labels)
    gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
    return {p: len(labels) * _wide(g).square() for p, g in zip(wanted, gradients, strict=True) if g is not None}


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
