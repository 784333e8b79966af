"""MicroAdam: Adam on the largest gradients of late, and four bits of what is left of each."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam import _microadam
from alphaadam.torch.baselines._baseline import Baseline, check_betas

__all__ = ["MicroAdam"]


class MicroAdam(Baseline):
    r"""Adam on the largest one percent of the last ten gradients, with feedback of the rest in four bits.

    .. math::
        a &= g_t + Q^{-1}(e_{t-1}), \qquad V_t = a \text{ where } |a| \text{ is largest, else } 0, \qquad
            e_t = Q(a - V_t) \\
        \hat m &= \frac{1 - \beta_1}{1 - \beta_1^t} \sum_{i=0}^{w-1} \beta_1^i V_{t-i}, \qquad
            \hat v = \frac{1 - \beta_2}{1 - \beta_2^t} \sum_{i=0}^{w-1} \beta_2^i V_{t-i}^2 \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)

    A tensor is cut into blocks of at most ``block_size`` elements. In each the part ``density`` is kept, as 16-bit
    places and bfloat16 values, and :math:`Q` rounds the others to 16 numbers, evenly from the block's smallest to its
    largest. That is about 0.9 bytes for each parameter with the defaults, where Adam has 8. It takes every parameter.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        window: How many gradients are kept, >= 1.
        density: The part of each block that is kept, in (0, 1], rounded up to whole elements.
        block_size: The most elements of a block, from 1 to 32768.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range.

    Source: Modoranu et al. (2024), https://arxiv.org/abs/2405.15593.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import MicroAdam
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = MicroAdam([parameter], lr=0.1)
        >>> parameter.square().sum().backward()
        >>> optimizer.step()  # one element of two is more than one percent
        >>> parameter.data
        tensor([ 1.0000, -1.9000])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        window: int = 10,
        density: float = 0.01,
        block_size: int = 4096,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "window": window,
            "density": density,
            "block_size": block_size,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_positive("eps", group["eps"], "1e-8", self._name)
        _microadam.check(group["window"], group["density"], group["block_size"], self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        blocks = _microadam.Blocks.of(parameter.numel(), group["density"], group["block_size"])
        ring = (group["window"], blocks.number, blocks.kept)
        compute = torch.promote_types(parameter.dtype, torch.float32)
        return {
            "places": parameter.new_zeros(ring, dtype=torch.int16),
            "values": parameter.new_zeros(ring, dtype=torch.bfloat16),
            "codes": parameter.new_zeros(blocks.bytes, dtype=torch.uint8),
            "low": parameter.new_zeros((blocks.number, 1), dtype=compute),
            "spacing": parameter.new_zeros((blocks.number, 1), dtype=compute),
        }

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr, window = group["betas"], group["lr"], group["window"]
        blocks = _microadam.Blocks.of(theta.numel(), group["density"], group["block_size"])
        size = theta.numel()

        codes = torch.stack((state["codes"] & 15, state["codes"] >> 4), dim=1).view(-1)[: blocks.elements]
        total = codes.view(blocks.number, blocks.length).to(theta.dtype).mul_(state["spacing"]).add_(state["low"])
        flat = total.view(-1)
        flat[:size].add_(gradient.reshape(-1))
        flat[size:] = 0  # what fills up the last block has no error

        places = total.abs().topk(blocks.kept, dim=1, sorted=False).indices
        newest = (step - 1) % window
        state["places"][newest] = places
        state["values"][newest] = total.gather(1, places)
        total.scatter_(1, places, 0)

        low, high = torch.aminmax(total, dim=1, keepdim=True)
        spacing = (high - low).div_(15)
        codes = total.sub_(low).div_(torch.where(spacing > 0, spacing, 1)).round_().to(torch.uint8).view(-1)
        codes = torch.nn.functional.pad(codes, (0, 2 * blocks.bytes - blocks.elements))
        state.update(codes=codes[0::2] | codes[1::2] << 4, low=low, spacing=spacing)

        m = total.zero_()
        v = torch.zeros_like(m)
        for age in range(min(step, window)):
            row = (newest - age) % window
            at, values = state["places"][row].long(), state["values"][row].to(theta.dtype)
            m.scatter_add_(1, at, values * beta1**age)
            v.scatter_add_(1, at, values.square_().mul_(beta2**age))
        scale1, scale2 = (1 - beta1) / (1 - beta1**step), (1 - beta2) / (1 - beta2**step)
        m.div_(v.mul_(scale2).sqrt_().add_(group["eps"]))
        theta.mul_(1 - lr * group["weight_decay"])
        theta.add_(flat[:size].view(theta.shape), alpha=-lr * scale1)
