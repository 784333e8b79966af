"""LDAdam: Adam in a subspace that turns in every step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import MatrixBaseline, check_betas, zeros
from alphaadam.torch.baselines._subspaces import singular_vectors

__all__ = ["LDAdam"]


class LDAdam(MatrixBaseline):
    r"""Adam on matrices projected to a few dimensions, whose subspace one power iteration turns in every step.

    For a matrix :math:`p \times q`, :math:`p \le q`, with :math:`P` of :math:`p \times r` and orthonormal columns:

    .. math::
        A &= G_t + E_{t-1}, \qquad \hat M = M_{t-1} / (1 - \beta_1^{t-1}), \qquad
            \hat V = V_{t-1} / (1 - \beta_2^{t-1}) \\
        B &= \rho P_{t-1} \hat M + (1 - \rho) A, \qquad P_t = \operatorname{qr}(B B^\top P_{t-1}), \qquad
            S = P_t^\top P_{t-1} \\
        \tilde M &= S M_{t-1}, \qquad
            \tilde V = (1 - \beta_2^{t-1}) \left| S^{\circ 2} (\hat V - \hat M^2) + (S \hat M)^2 \right| \\
        M_t &= \beta_1 \tilde M + (1 - \beta_1) P_t^\top A, \qquad
            V_t = \beta_2 \tilde V + (1 - \beta_2) (P_t^\top A)^2 \\
        \Theta_t &= (1 - \eta\lambda) \Theta_{t-1}
            - \eta P_t \frac{M_t / (1 - \beta_1^t)}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon} \\
        E_t &= A - P_t P_t^\top A + \tfrac{\beta_1}{1 - \beta_1} (P_{t-1} M_{t-1} - P_t \tilde M)

    :math:`P_1` holds the leading left singular vectors of the first gradient. A matrix with more rows than columns is
    transposed, so that the projection is always on its smaller side.

    It takes parameters with two dimensions. All others, and groups with ``adamw=True``, which belongs to embeddings
    and the output layer, get AdamW with the same learning rate and weight decay. Each matrix keeps an error of its own
    size, where the code of the paper keeps it in the gradient, which must then not be cleared.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        rank: Dimensions of the subspace, >= 1; a matrix with a smaller side has as many as that.
        rho: Weight of the momentum beside the gradient where the subspace is found, in [0, 1).
        adamw: Give the parameters of a group to AdamW although they are matrices.
        adamw_betas: AdamW's decay rates, each in [0, 1).
        adamw_eps: AdamW's epsilon, finite and >= 0.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Robert et al. (2025), https://arxiv.org/abs/2410.16103.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import LDAdam
        >>> parameter = torch.nn.Parameter(torch.tensor([[1.0, 2.0, 3.0], [2.0, -1.0, 0.5]]))
        >>> optimizer = LDAdam([parameter], lr=0.1, rank=1)
        >>> parameter.square().sum().backward()
        >>> optimizer.step()
        >>> parameter.data
        tensor([[ 0.9014,  1.9014,  2.9014],
                [ 1.9836, -1.0164,  0.4836]])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.908, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        rank: int = 16,
        rho: float = 0.908,
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
            "rho": rho,
            "adamw": adamw,
            "adamw_betas": adamw_betas,
            "adamw_eps": adamw_eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        super()._check(group)
        check_betas("betas", group["betas"], self._name)
        checks.check_positive("eps", group["eps"], "1e-8", self._name)
        checks.check_count("rank", group["rank"], "16", self._name)
        checks.check_beta("rho", group["rho"], "0.908", self._name)

    def _begin_matrix(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        smaller, larger = sorted(parameter.shape)
        rank = min(group["rank"], smaller)
        error = zeros(parameter)
        return {
            "projector": error.new_zeros(smaller, rank),
            "exp_avg": error.new_zeros(rank, larger),
            "exp_avg_sq": error.new_zeros(rank, larger),
            "error": error,
        }

    def _move_matrix(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        feedback = beta1 / (1 - beta1)
        # The array of the error becomes the gradient with the error, and then the next error.
        total = state["error"].add_(gradient)
        if theta.shape[0] > theta.shape[1]:
            theta, total = theta.mT, total.mT
        m, v = state["exp_avg"], state["exp_avg_sq"]
        if step == 1:
            p = singular_vectors(total.mT, m.shape[0]).contiguous()
            lost = None
        else:
            before = state["projector"]
            correction1, correction2 = 1 - beta1 ** (step - 1), 1 - beta2 ** (step - 1)
            lost = before @ m
            mixed = (lost * (group["rho"] / correction1)).add_(total, alpha=1 - group["rho"])
            p = torch.linalg.qr(mixed @ (mixed.mT @ before))[0]
            turn = p.mT @ before
            m_hat = m / correction1
            spread = (v / correction2).sub_(m_hat.square())
            v = (turn.square() @ spread).add_((turn @ m_hat).square_()).abs_().mul_(correction2)
            m = turn @ m
        low = p.mT @ total
        total.addmm_(p, low.add(m, alpha=feedback), alpha=-1)
        if lost is not None:
            total.add_(lost, alpha=feedback)
        m = m.lerp_(low, 1 - beta1)
        v = v.mul_(beta2).addcmul_(low, low, value=1 - beta2)
        state.update(projector=p, exp_avg=m, exp_avg_sq=v)
        root = (v / (1 - beta2**step)).sqrt_().add_(group["eps"])
        theta.mul_(1 - lr * group["weight_decay"])
        theta.addmm_(p, m / root, alpha=-lr / (1 - beta1**step))
