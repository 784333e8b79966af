"""EXAdam: Adam whose two corrections also look at the other moment."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import Baseline, check_betas, moments

__all__ = ["EXAdam"]


class EXAdam(Baseline):
    r"""Adam with the gradient added to the first moment, and bias corrections that depend on both moments.

    .. math::
        d_1 = 1 + \frac{v_t}{v_t + \epsilon} \beta_2^t, \qquad d_2 = 1 + \frac{m_t^2}{m_t^2 + \epsilon} \beta_1^t, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{(m_t + g_t)\, d_1 / (1 - \beta_1^t)}{\sqrt{v_t\, d_2 / (1 - \beta_2^t)} + \epsilon}

    It takes every parameter. This is the rule of the paper's second version; its first one also multiplied the
    learning rate by :math:`\ln(\sqrt 2 \sqrt{t + 1})`, which ``dynamic_step_size`` brings back.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, and to the denominators of the corrections; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        dynamic_step_size: Multiply the learning rate by ``log(sqrt(2) * sqrt(t + 1))``, as the first version did.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Adly (2024), https://arxiv.org/abs/2412.20302.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import EXAdam
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = EXAdam([parameter], lr=0.1)
        >>> parameter.square().sum().backward()
        >>> optimizer.step()
        >>> parameter.data
        tensor([-0.5952, -0.4048])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        dynamic_step_size: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "dynamic_step_size": dynamic_step_size,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_positive("eps", group["eps"], "1e-8", self._name)
        checks.check_flag("dynamic_step_size", group["dynamic_step_size"], self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return moments(parameter)

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), eps, lr = group["betas"], group["eps"], group["lr"]
        m = state["exp_avg"].lerp_(gradient, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        square = m * m
        first = (v / (v + eps)).mul_(beta2**step).add_(1).mul_(m + gradient)
        second = (square / (square + eps)).mul_(beta1**step).add_(1).mul_(v).div_(1 - beta2**step)
        theta.mul_(1 - lr * group["weight_decay"])
        if group["dynamic_step_size"]:
            lr = lr * math.log(math.sqrt(2 * (step + 1)))
        theta.addcdiv_(first, second.sqrt_().add_(eps), value=-lr / (1 - beta1**step))
