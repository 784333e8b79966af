"""ROOT: Muon on a momentum without its outliers, with coefficients for the shape of the matrix."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam._root_coefficients import ITERATIONS, Triple, check_coefficients, coefficients_for
from alphaadam.torch.baselines._baseline import MatrixBaseline, zeros

__all__ = ["ROOT"]


class ROOT(MatrixBaseline):
    r"""Robust orthogonalized momentum: outliers are clipped, then the singular values are brought near 1.

    For a matrix of :math:`m` rows and :math:`n` columns:

    .. math::
        M_t = \mu M_{t-1} + G_t, \qquad D = G_t + \mu M_t, \qquad B = \mathrm{clip}(D, \pm q_{0.9}(|D|)), \\
        X \leftarrow B / \|B\|_F, \qquad X \leftarrow a X + (b A + c A^2) X, \quad A = X X^\top,
            \quad \text{five times}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - 0.2\, \eta \sqrt{\max(m, n)}\, X

    Parameters that are not matrices, and those of groups with ``adamw=True``, which should hold embeddings and the
    output layer, get AdamW with the same ``lr`` and ``weight_decay``. A matrix whose gradients are nearly all zero has
    a quantile of zero, and is moved by signs: leave embeddings to AdamW.

    A step costs about as many operations as ten products of the parameter with a square matrix of its smaller side.
    They are carried out in float32 for half-precision parameters, on a GPU as ``torch.set_float32_matmul_precision``
    says.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        momentum: Decay rate of the momentum, which is a sum, in [0, 1).
        weight_decay: Decoupled weight decay, finite and >= 0.
        nesterov: Whether the gradient is added once more, as in the paper's code; its text has ``D`` the momentum.
        quantile: Elements of a size above that of this part of the elements are clipped, in (0, 1]. 1 clips none.
        coefficients: Those of the iteration. ``"published"`` is the authors' for matrices of 2048×2048, 3072, 8192 and
            16384, and Muon's for others. ``"fitted"`` is for other shapes too, those of small GPT-2s, what
            ``python -m bench fit-root`` fitted to them. Else three numbers, or a dict of them by shape, such as
            ``{"128x384": [3.4445, -4.775, 2.0315]}``, the smaller side first; a shape that is missing has the published
            ones.
        adamw: Whether AdamW takes the matrices too; for a parameter group.
        adamw_betas: AdamW's decay rates, each in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: He et al. (2025), https://arxiv.org/abs/2511.20626, and its code.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import ROOT
        >>> matrix = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
        >>> optimizer = ROOT([matrix], lr=0.1)
        >>> matrix.square().sum().backward()
        >>> optimizer.step()
        >>> matrix.data
        tensor([[1.0024, 1.9629],
                [2.9532, 4.9393]])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        *,
        nesterov: bool = True,
        quantile: float = 0.9,
        coefficients: str | Sequence[float] | Mapping[str, Sequence[float]] = "published",
        adamw: bool = False,
        adamw_betas: tuple[float, float] = (0.9, 0.95),
        adamw_eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "quantile": quantile,
            "coefficients": coefficients,
            "adamw": adamw,
            "adamw_betas": adamw_betas,
            "adamw_eps": adamw_eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        super()._check(group)
        checks.check_beta("momentum", group["momentum"], "0.95", self._name)
        checks.check_flag("nesterov", group["nesterov"], self._name)
        checks.check_fraction("quantile", group["quantile"], "0.9", self._name)
        check_coefficients(group["coefficients"], self._name)

    def _begin_matrix(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"momentum_buffer": zeros(parameter)}

    def _move_matrix(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        if not theta.numel():
            return
        direction = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        if group["nesterov"]:
            direction = gradient.add(direction, alpha=group["momentum"])
        threshold = _quantile(direction.abs(), group["quantile"]) + 1e-9
        x = _orthogonalized(
            direction.clamp(-threshold, threshold), coefficients_for(theta.shape, group["coefficients"])
        )
        lr = group["lr"]
        theta.mul_(1 - lr * group["weight_decay"])
        theta.add_(x, alpha=-lr * 0.2 * math.sqrt(max(theta.shape)))


def _quantile(values: Tensor, q: float) -> Tensor:
    """The ``q``-quantile of all elements, between its two neighbours linearly.

    ``torch.quantile`` takes no more than 16 million elements, and sorts. So does this away from the CPU, where sorting
    is fast and the selection is not deterministic.
    """
    flat = values.flatten()
    place = q * (flat.numel() - 1)
    below = math.floor(place)
    above = min(below + 1, flat.numel() - 1)
    if flat.device.type == "cpu":
        low, high = (flat.kthvalue(index + 1).values for index in (below, above))
    else:
        low, high = flat.sort().values[[below, above]]
    return low + (place - below) * (high - low)


def _orthogonalized(matrix: Tensor, triple: Triple) -> Tensor:
    """The matrix after all iterations of Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (torch.linalg.vector_norm(x) + 1e-7)
    a, b, c = triple
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
