"""MGUP: AdamW with a longer step where update and gradient agree, and a shorter one elsewhere."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import Baseline, check_betas, moments

__all__ = ["MGUP"]


class MGUP(Baseline):
    r"""AdamW whose step is longer at the coordinates where update and gradient agree most.

    .. math::
        u_t = \frac{m_t}{\sqrt{v_t} + \epsilon}, \qquad
        \phi_{t,i} = \begin{cases} \alpha & u_{t,i}\, g_{t,i} \text{ is among the } \lfloor \tau n \rfloor
            \text{ largest of the tensor's } n \\ \gamma & \text{otherwise} \end{cases} \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\, \phi_t \odot u_t

    It takes every parameter. ``tau=None`` is the variant without selection: :math:`\gamma` where the signs of
    :math:`m_t` and :math:`g_t` are opposite, :math:`\alpha` elsewhere, also where the gradient is 0.

    Exactly :math:`\lfloor \tau n \rfloor` coordinates are selected; of those that agree equally, the first in
    row-major order. A tensor of fewer than :math:`1 / \tau` elements always gets :math:`\gamma`. Selecting takes time
    linear in the size of a tensor, and sorts nothing.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        tau: The part of a tensor's coordinates that is selected, in (0, 1]; None to go by signs.
        alpha: Factor of the selected coordinates, finite and > 0.
        gamma: Factor of the others, finite and >= 0.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Chang and Yuan (2025), https://arxiv.org/abs/2606.17526; the defaults are those of its code.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import MGUP
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = MGUP([parameter], lr=0.1)
        >>> parameter.square().sum().backward()
        >>> optimizer.step()
        >>> parameter.data
        tensor([ 0.9900, -1.8000])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        tau: float | None = 0.5,
        alpha: float = 2.0,
        gamma: float = 0.1,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "tau": tau,
            "alpha": alpha,
            "gamma": gamma,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_nonnegative("eps", group["eps"], "1e-6", self._name)
        if group["tau"] is not None:
            checks.check_fraction("tau", group["tau"], "0.5", self._name)
        checks.check_positive("alpha", group["alpha"], "2.0", self._name)
        checks.check_nonnegative("gamma", group["gamma"], "0.1", self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        return moments(parameter)

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        beta1, beta2 = group["betas"]
        m = state["exp_avg"].lerp_(gradient, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        u = m / v.sqrt().add_(group["eps"])
        if group["tau"] is None:
            selected = m.sign() * gradient.sign() >= 0  # not of the product, which underflows
        else:
            selected = _largest(u * gradient, int(group["tau"] * theta.numel()))
        u = torch.where(selected, group["alpha"] * u, group["gamma"] * u)
        theta.mul_(1 - group["lr"] * group["weight_decay"])
        theta.add_(u, alpha=-group["lr"] * (1 - beta2**step) ** 0.5 / (1 - beta1**step))


def _largest(values: Tensor, k: int) -> Tensor:
    """Which elements are the ``k`` largest; of equal ones the first in row-major order."""
    if not 0 < k < values.numel():
        return torch.full_like(values, k > 0, dtype=torch.bool)
    values_flat = values.flatten()
    threshold = values_flat.kthvalue(values_flat.numel() - k + 1).values
    above, equal = values_flat > threshold, values_flat == threshold
    rest = k - above.sum()
    return (above | (equal & (equal.cumsum(0, dtype=torch.int32) <= rest))).view(values.shape)
