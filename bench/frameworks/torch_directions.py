"""How a step of training lies in the loss: gradient correlation and directional sharpness, in PyTorch.

Both are terms of the second-order expansion of the loss along the step Δ = θ_t - θ_{t-1}, whose direction is v = Δ/‖Δ‖:

    f(θ + Δ) - f(θ) ≈ ‖Δ‖ ∇f(θ)ᵀv + ½ ‖Δ‖² vᵀ∇²f(θ)v

*Directional sharpness* is vᵀ∇²f(θ)v, as Pan and Li define it ("Toward Understanding Why Adam Converges Faster Than SGD
for Transformers", arXiv 2306.00204), whom the AlphaAdam paper (arXiv 2501.18094, section 3) follows. *Gradient
correlation* is the first-order term without its scale, the cosine -∇f(θ)ᵀv/‖∇f(θ)‖: 1 for a step of gradient descent,
0 for one across the gradient, negative for one that goes uphill. The paper's definitions 3.1 and 3.2 may be scaled
otherwise; "batchGradientNorm" and "updateNorm" stand beside both, so that the two terms follow from them.

All are taken at θ_{t-1} on one fixed batch, without autocast, so that they can be compared from step to step and
between optimizers. Δ is the whole change of the parameters, weight decay included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

Parameters = Mapping[str, Tensor]


class Directions:
    """Measures the steps of a model. Call `before` and `after` around a step.

    Args:
        model: Token ids (batch, length) → logits. It and its gradients stay as they are.
        tokens: The fixed batch, of shape (batch, length + 1).
    """

    def __init__(self, model: nn.Module, tokens: npt.NDArray[np.int32]) -> None:
        self._model = model
        device = next(model.parameters()).device
        self._tokens = torch.from_numpy(tokens).to(device).long()
        self._before: dict[str, Tensor] = {}

    def before(self) -> None:
        """Remembers the parameters."""
        self._before = {name: p.detach().clone() for name, p in self._model.named_parameters()}

    def after(self) -> dict[str, float]:
        """What the step since `before` was: "gradientCorrelation", "directionalSharpness", "batchGradientNorm"."""
        step = {name: p.detach() - self._before[name] for name, p in self._model.named_parameters()}
        found = directions(self._loss, self._before, step)
        self._before = {}
        return found

    def _loss(self, parameters: Parameters) -> Tensor:
        logits = torch.func.functional_call(self._model, dict(parameters), (self._tokens[:, :-1],))
        return functional.cross_entropy(logits.flatten(0, 1), self._tokens[:, 1:].flatten())


def directions(loss: Callable[[Parameters], Tensor], parameters: Parameters, step: Parameters) -> dict[str, float]:
    """Gradient correlation and directional sharpness of a step.

    Args:
        loss: A twice differentiable function of the parameters.
        parameters: Where the step begins.
        step: The change of each parameter.

    Returns:
        "gradientCorrelation", "directionalSharpness" and "batchGradientNorm", the norm of the gradient; the first two
        are NaN for a step of length 0, which has no direction.
    """
    points = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    names = list(points)
    # Only PyTorch's plain attention can be differentiated twice.
    with sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        value = loss(points)
        gradient = torch.autograd.grad(value, [points[name] for name in names], create_graph=True)
        length = _dot([step[name] for name in names], [step[name] for name in names]).sqrt()
        direction = [step[name] / length for name in names]
        along = _dot(gradient, direction)
        product = torch.autograd.grad(along, [points[name] for name in names], materialize_grads=True)
    norm = _dot(gradient, gradient).sqrt()
    return {
        "gradientCorrelation": (-along / norm).item(),
        "directionalSharpness": _dot(product, direction).item(),
        "batchGradientNorm": norm.item(),
    }


def _dot(left: list[Tensor] | tuple[Tensor, ...], right: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()
