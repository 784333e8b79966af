"""Adan: Adam with Nesterov's momentum, from the differences of successive gradients."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import Baseline, check_betas, zeros

__all__ = ["Adan"]


class Adan(Baseline):
    r"""Adam whose momentum and second moment look ahead along the differences of successive gradients.

    .. math::
        \delta_t = g_t - g_{t-1} \text{, 0 at the first step}, \qquad
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) \delta_t, \\
        n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 \delta_t)^2, \\
        \theta_t = \frac{1}{1 + \eta\lambda} \left(\theta_{t-1} - \eta\,
            \frac{m_t / (1 - \beta_1^t) + \beta_2 v_t / (1 - \beta_2^t)}{\sqrt{n_t / (1 - \beta_3^t)} + \epsilon}\right)

    It takes every parameter, and keeps three averages and the last gradient of each. The decay rates are what is kept
    of an average, as in the authors' code, whose bias corrections these are; the paper's rates are 1 minus them. The
    authors' code may also clip gradients by their global norm: here ``torch.nn.utils.clip_grad_norm_`` does.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the averages of gradients, of their differences, and of squares, each in [0, 1).
        eps: Added to the root of the average of squares after bias correction; finite and >= 0.
        weight_decay: Weight decay, finite and >= 0.
        no_prox: Decay as AdamW does, by ``1 - lr * weight_decay`` before the step, instead of dividing by
            ``1 + lr * weight_decay`` after it.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Xie, Zhou, Li, Lin and Yan (2022), https://arxiv.org/abs/2208.06677, Algorithm 1; their code,
    https://github.com/sail-sg/Adan.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import Adan
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = Adan([parameter], lr=0.1)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     parameter.square().sum().backward()
        ...     optimizer.step()
        >>> parameter.data
        tensor([ 0.8008, -1.8002])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        no_prox: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "no_prox": no_prox,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name, (0.98, 0.92, 0.99))
        checks.check_nonnegative("eps", group["eps"], "1e-8", self._name)
        checks.check_flag("no_prox", group["no_prox"], self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {key: zeros(parameter) for key in ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")}

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2, beta3), lr = group["betas"], group["lr"]
        decay = lr * group["weight_decay"]
        # What is kept of the last gradient is also where the difference and what it foretells are computed.
        previous = state["previous_grad"]
        difference = previous.neg_().add_(gradient) if step > 1 else previous
        m = state["exp_avg"].lerp_(gradient, 1 - beta1)
        v = state["exp_avg_diff"].lerp_(difference, 1 - beta2)
        ahead = difference.mul_(beta2).add_(gradient)
        n = state["exp_avg_sq"].mul_(beta3).addcmul_(ahead, ahead, value=1 - beta3)
        previous.copy_(gradient)
        root = (n / (1 - beta3**step)).sqrt_().add_(group["eps"])
        if group["no_prox"]:
            theta.mul_(1 - decay)
        theta.addcdiv_(m, root, value=-lr / (1 - beta1**step))
        theta.addcdiv_(v, root, value=-lr * beta2 / (1 - beta2**step))
        if not group["no_prox"]:
            theta.div_(1 + decay)
