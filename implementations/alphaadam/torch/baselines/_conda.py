"""Conda: Adam whose second moment lives in the basis of the momentum's singular vectors."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import MatrixBaseline, check_betas, zeros
from alphaadam.torch.baselines._subspaces import is_due, is_wide, lift, project, singular_vectors

__all__ = ["Conda"]


class Conda(MatrixBaseline):
    r"""Column-normalized Adam: Adam's ratio in the basis of the singular vectors of its first moment.

    For a matrix with fewer rows than columns, and :math:`P` the left singular vectors of :math:`m_t`, which are
    computed anew at the first step and every ``update_proj_gap`` steps after it:

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) (P^\top g_t)^2, \\
        \theta_t = (1 - \eta\lambda) \left(\theta_{t-1} - \eta s \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
            P\, \frac{P^\top m_t}{\sqrt{v_t} + \epsilon}\right)

    For any other matrix :math:`P` is the right singular vectors, and multiplies from the right. Parameters that are not
    matrices, and those of groups with ``adamw=True``, which should hold embeddings and the output layer, get AdamW with
    the same ``lr`` and ``weight_decay``.

    A step costs three products with the basis, as many operations as a product of the parameter with a square matrix
    of its smaller side each; a new basis costs a singular value decomposition.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0; of a matrix it follows the update.
        update_proj_gap: Steps from one basis to the next, at least 1.
        scale: Multiplies the update of a matrix, finite and > 0. The paper's runs on GPT-2 have 0.25.
        adamw: Whether AdamW takes the matrices too; for a parameter group.
        adamw_betas: AdamW's decay rates, each in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Wang et al. (2025), https://arxiv.org/abs/2509.24218, and its code, which counts the steps so.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import Conda
        >>> matrix = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
        >>> optimizer = Conda([matrix], lr=0.1)
        >>> matrix.square().sum().backward()
        >>> optimizer.step()
        >>> matrix.data
        tensor([[1.0356, 1.8631],
                [2.8631, 4.9644]])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        update_proj_gap: int = 2000,
        scale: float = 1.0,
        adamw: bool = False,
        adamw_betas: tuple[float, float] = (0.9, 0.999),
        adamw_eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "update_proj_gap": update_proj_gap,
            "scale": scale,
            "adamw": adamw,
            "adamw_betas": adamw_betas,
            "adamw_eps": adamw_eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        super()._check(group)
        check_betas("betas", group["betas"], self._name)
        checks.check_nonnegative("eps", group["eps"], "1e-8", self._name)
        checks.check_count("update_proj_gap", group["update_proj_gap"], "2000", self._name)
        checks.check_positive("scale", group["scale"], "1.0", self._name)

    def _begin_matrix(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        m, side = zeros(parameter), min(parameter.shape)
        return {"exp_avg": m, "exp_avg_sq": torch.zeros_like(m), "basis": m.new_zeros(side, side)}

    def _move_matrix(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        m, v, basis, wide = state["exp_avg"], state["exp_avg_sq"], state["basis"], is_wide(theta.shape)
        m.lerp_(gradient, 1 - beta1)
        if is_due(basis, m, (step - 1) % group["update_proj_gap"] == 0):
            basis.copy_(singular_vectors(m, len(basis)))
        seen = project(gradient, basis, wide)
        v.mul_(beta2).addcmul_(seen, seen, value=1 - beta2)
        torch.sqrt(v, out=seen)
        ratio = project(m, basis, wide).div_(seen.add_(group["eps"]))
        rate = lr * group["scale"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        theta.add_(lift(ratio, basis, wide), alpha=-rate)
        theta.mul_(1 - lr * group["weight_decay"])
