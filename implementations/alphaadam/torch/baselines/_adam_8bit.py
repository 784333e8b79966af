"""8-bit Adam: AdamW whose moments are kept in 8 bits."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.torch.baselines._baseline import Baseline, check_betas, moments
from alphaadam.torch.baselines._blockwise import block_count, dequantized, quantized

__all__ = ["Adam8bit"]


class Adam8bit(Baseline):
    r"""AdamW whose moments are kept in 8 bits: 2.03 bytes per parameter instead of 8.

    .. math::
        m_t = \beta_1 M_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    :math:`M_t` and :math:`V_t` are what comes back of :math:`m_t` and :math:`v_t` from dynamic quantisation: of each
    block the largest absolute value is kept in float32, and of each element one of 256 values, relative to it. They
    reach down to 5.5e-7 and 3.3e-7 times the largest one.

    It takes every parameter. One with fewer than ``min_8bit_size`` elements keeps its moments as AdamW does. A group
    with that number set high enough does too, as the authors have it for embeddings: a row that was not seen for long
    has a second moment that comes back as 0 beside those of others.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        min_8bit_size: Least number of elements of a parameter whose moments are quantised, a whole number >= 0.
        block_size: Number of elements of a block, in row-major order, a whole number >= 1.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Dettmers et al. (2021), https://arxiv.org/abs/2110.02861; blocks of 256 as in their library, bitsandbytes.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import Adam8bit
        >>> parameter = torch.nn.Parameter(torch.ones(64, 64))
        >>> optimizer = Adam8bit([parameter], lr=0.1, weight_decay=0.0)
        >>> parameter.square().sum().backward()
        >>> optimizer.step()
        >>> parameter.data[0, :2], optimizer.state[parameter]["exp_avg"].dtype
        (tensor([0.9000, 0.9000]), torch.uint8)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        min_8bit_size: int = 4096,
        block_size: int = 256,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "min_8bit_size": min_8bit_size,
            "block_size": block_size,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_nonnegative("eps", group["eps"], "1e-8", self._name)
        checks.check_count("min_8bit_size", group["min_8bit_size"], "4096", self._name, least=0)
        checks.check_count("block_size", group["block_size"], "256", self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        if parameter.numel() < group["min_8bit_size"]:
            return moments(parameter)
        compute = torch.promote_types(parameter.dtype, torch.float32)
        largest = torch.zeros(
            block_count(parameter.numel(), group["block_size"]), dtype=compute, device=parameter.device
        )
        return {
            "exp_avg": torch.full_like(parameter, SIGNED.zero, dtype=torch.uint8, requires_grad=False),
            "exp_avg_absmax": largest,
            "exp_avg_sq": torch.full_like(parameter, UNSIGNED.zero, dtype=torch.uint8, requires_grad=False),
            "exp_avg_sq_absmax": largest.clone(),
        }

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr, block_size = group["betas"], group["lr"], group["block_size"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        in_8_bits = "exp_avg_absmax" in state
        if in_8_bits:
            m = dequantized(m, state["exp_avg_absmax"], SIGNED, block_size)
            v = dequantized(v, state["exp_avg_sq_absmax"], UNSIGNED, block_size)
        m.lerp_(gradient, 1 - beta1)
        v.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (v / (1 - beta2**step)).sqrt_().add_(group["eps"])
        theta.mul_(1 - lr * group["weight_decay"])
        theta.addcdiv_(m, root, value=-lr / (1 - beta1**step))
        if in_8_bits:
            state["exp_avg"], state["exp_avg_absmax"] = quantized(m, SIGNED, block_size)
            state["exp_avg_sq"], state["exp_avg_sq_absmax"] = quantized(v, UNSIGNED, block_size)
