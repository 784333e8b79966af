"""GaLore: Adam in the space of the gradient's leading singular vectors."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import MatrixBaseline, check_betas
from alphaadam.torch.baselines._subspaces import align, is_due, is_wide, lift, project, singular_vectors

__all__ = ["GaLore"]


class GaLore(MatrixBaseline):
    r"""Adam in the space of the gradient's leading singular vectors, whose moments are as small as that space.

    For a matrix with fewer rows than columns, and :math:`P` the ``rank`` leading left singular vectors of :math:`g_t`,
    which are computed anew at the first step and every ``update_proj_gap`` steps after it:

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) P^\top g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) (P^\top g_t)^2, \\
        \theta_t = (1 - \eta\lambda) \left(\theta_{t-1} - \eta s \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
            P\, \frac{m_t}{\sqrt{v_t} + \epsilon}\right)

    For any other matrix :math:`P` is the right singular vectors, and multiplies from the right. A new singular vector
    has the sign that makes its inner product with the one before it positive, since the momentum is carried along it.
    Parameters that are not matrices, and those of groups with ``adamw=True``, which should hold embeddings and the
    output layer, get AdamW with the same ``lr`` and ``weight_decay``.

    State of a matrix: ``rank`` times its smaller side and twice its larger side. A step costs two products with the
    basis; a new basis costs a singular value decomposition.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0; of a matrix it follows the update.
        rank: Number of singular vectors, at least 1; of a matrix at most its smaller side.
        update_proj_gap: Steps from one basis to the next, at least 1.
        scale: Multiplies the update of a matrix, finite and > 0.
        adamw: Whether AdamW takes the matrices too; for a parameter group.
        adamw_betas: AdamW's decay rates, each in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Zhao et al. (2024), https://arxiv.org/abs/2403.03507, and its code, which counts the steps so. The choice of
    signs is ours: the paper makes none, and its code takes them as they come.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import GaLore
        >>> matrix = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
        >>> optimizer = GaLore([matrix], lr=0.1, rank=1)
        >>> matrix.square().sum().backward()
        >>> optimizer.step()
        >>> matrix.data
        tensor([[0.9873, 1.9784],
                [2.9873, 4.9784]])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        rank: int = 128,
        update_proj_gap: int = 200,
        scale: float = 0.25,
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
            "rank": rank,
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
        checks.check_nonnegative("eps", group["eps"], "1e-6", self._name)
        checks.check_count("rank", group["rank"], "128", self._name)
        checks.check_count("update_proj_gap", group["update_proj_gap"], "200", self._name)
        checks.check_positive("scale", group["scale"], "0.25", self._name)

    def _begin_matrix(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        rank = min(group["rank"], *parameter.shape)
        wide, dtype = is_wide(parameter.shape), torch.promote_types(parameter.dtype, torch.float32)
        m = parameter.new_zeros((rank, parameter.shape[1]) if wide else (parameter.shape[0], rank), dtype=dtype)
        return {"exp_avg": m, "exp_avg_sq": torch.zeros_like(m), "basis": m.new_zeros(min(parameter.shape), rank)}

    def _move_matrix(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        m, v, basis, wide = state["exp_avg"], state["exp_avg_sq"], state["basis"], is_wide(theta.shape)
        if is_due(basis, gradient, (step - 1) % group["update_proj_gap"] == 0):
            basis.copy_(align(singular_vectors(gradient, basis.shape[1]), basis))
        seen = project(gradient, basis, wide)
        m.lerp_(seen, 1 - beta1)
        v.mul_(beta2).addcmul_(seen, seen, value=1 - beta2)
        torch.sqrt(v, out=seen)
        ratio = m / seen.add_(group["eps"])
        rate = lr * group["scale"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        theta.add_(lift(ratio, basis, wide), alpha=-rate)
        theta.mul_(1 - lr * group["weight_decay"])
