"""Sophia: the moment divided by an estimate of the Hessian's diagonal, and clipped."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import Baseline, check_betas, zeros

__all__ = ["Sophia"]


class Sophia(Baseline):
    r"""The moment divided by an estimate of the Hessian's diagonal, each coordinate clipped to the learning rate.

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
        h_t = \beta_2 h_{t-k} + (1 - \beta_2)\, \hat h_t \text{ in every } k\text{-th step}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \mathrm{clip}\!\left(\frac{m_t}{\max(\gamma h_t, \epsilon)}, -1, 1\right)

    It takes every parameter. :meth:`update_hessian` is given the estimates, before the step that they first count in:
    those of :func:`hutchinson` or :func:`gauss_newton_bartlett`, every 10 steps in the paper, beginning with the first.
    Until then, and where the curvature is negative, the step is the learning rate times the sign of the moment.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the moment and of the average of the estimates, each in [0, 1).
        gamma: Factor of that average, finite and > 0: the larger, the fewer coordinates are clipped. In the paper 0.01
            for :func:`hutchinson` and 0.05 for :func:`gauss_newton_bartlett`, and in general such that one to five in
            ten coordinates are not clipped.
        eps: Least denominator, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        maximize: Ascend instead of descend; the estimates are negated too.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import Sophia
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = Sophia([parameter], lr=0.1, gamma=20.0)
        >>> parameter.square().sum().backward()
        >>> optimizer.update_hessian({parameter: torch.tensor([2.0, 0.0])})
        >>> optimizer.step()
        >>> parameter.data
        tensor([ 0.9800, -1.9000])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.96, 0.99),
        gamma: float = 0.05,
        eps: float = 1e-12,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "gamma": gamma,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name, (0.96, 0.99))
        checks.check_positive("gamma", group["gamma"], "0.05", self._name)
        checks.check_positive("eps", group["eps"], "1e-12", self._name)

    @torch.no_grad()
    def update_hessian(self, estimates: Mapping[Tensor, Tensor]) -> None:
        """Take estimates of the Hessian's diagonal into their average.

        Args:
            estimates: Parameter -> estimate of its shape. The averages of parameters that are not there stay.

        Raises:
            ValueError: A parameter is not one of this optimizer's, or an estimate has another shape than its parameter.
        """
        groups = {parameter: group for group in self.param_groups for parameter in group["params"]}
        for parameter, estimate in estimates.items():
            if parameter not in groups:
                raise ValueError(
                    f"{self._name}: an estimate is for a tensor of shape {tuple(parameter.shape)} that is no parameter "
                    "of this optimizer. Pass parameters of its groups as keys."
                )
            if estimate.shape != parameter.shape:
                raise ValueError(
                    f"{self._name}: an estimate has shape {tuple(estimate.shape)}, its parameter "
                    f"{tuple(parameter.shape)}. Pass one number for each element."
                )
        for parameter, estimate in estimates.items():
            group = groups[parameter]
            average = self._state_of(parameter, group)["hessian"]
            estimate = estimate.to(average.dtype)
            average.lerp_(-estimate if group["maximize"] else estimate, 1 - group["betas"][1])

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return {"exp_avg": zeros(parameter), "hessian": zeros(parameter)}

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        m = state["exp_avg"].lerp_(gradient, 1 - group["betas"][0])
        denominator = (group["gamma"] * state["hessian"]).clamp_(min=group["eps"])
        theta.mul_(1 - group["lr"] * group["weight_decay"])
        theta.add_(torch.div(m, denominator, out=denominator).clamp_(-1, 1), alpha=-group["lr"])
