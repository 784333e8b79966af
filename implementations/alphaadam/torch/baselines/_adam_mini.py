"""Adam-mini: Adam with one second moment for each block of a tensor."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam._blocks import Partition, check_blocks, partition_of
from alphaadam.torch.baselines._baseline import Baseline, check_betas, zeros

__all__ = ["AdamMini"]


class AdamMini(Baseline):
    r"""Adam with one second moment for each block of a parameter: 4 bytes of state per parameter instead of 8.

    .. math::
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \mathrm{mean}(g_t^2) \quad \text{of each block}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    It takes every parameter. How one is partitioned is said by ``blocks``, for each parameter group:

    - None: each parameter is one block. The authors have that for norms, and for networks that are no Transformers.
    - ``(axis, size)``: runs of ``size`` indices of an axis. ``(0, 1)`` is one block per row: the token's of an
      embedding or a head, the output neuron's of ``torch.nn.Linear``, an element's of a vector, which is Adam.
      ``(0, head_width)`` is one block per head, which queries and keys must have. Where a weight is (inputs, outputs)
      the axis is 1.
    - ``(axis, [(length, size), ...])``: parts of an axis with runs of their own. A matrix of queries, keys and values
      side by side is ``(1, [(2 * width, head_width), (width, 1)])``.

    Training of a Transformer with one block per parameter may be unstable, as the authors found.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        blocks: The partition of each parameter, see above. Lengths add up to the axis, each a multiple of its size.
        maximize: Ascend instead of descend.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range, or a partition does not fit a parameter.

    Source: Zhang et al. (2024), https://arxiv.org/abs/2406.16793.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import AdamMini
        >>> linear = torch.nn.Linear(3, 2)
        >>> optimizer = AdamMini([{"params": [linear.weight], "blocks": (0, 1)}, {"params": [linear.bias]}])
        >>> linear(torch.ones(4, 3)).square().mean().backward()
        >>> optimizer.step()
        >>> [optimizer.state[p]["exp_avg_sq"].shape for p in linear.parameters()]
        [torch.Size([2]), torch.Size([])]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        blocks: Any = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "blocks": blocks,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_nonnegative("eps", group["eps"], "1e-8", self._name)
        check_blocks(group["blocks"], self._name)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; hyperparameters that it leaves out are the constructor's.

        Raises:
            TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
            ValueError: A hyperparameter is out of range, a key is another library's name for one, or the partition does
                not fit a parameter.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            for parameter in group["params"]:
                self._partition(parameter, group)
        except ValueError:
            self.param_groups.pop()
            raise

    def _partition(self, parameter: Tensor, group: Mapping[str, Any]) -> Partition | None:
        return partition_of(group["blocks"], parameter.shape, self._name, "a parameter")

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        partition = self._partition(parameter, group)
        m = zeros(parameter)
        return {"exp_avg": m, "exp_avg_sq": m.new_zeros(() if partition is None else partition.blocks)}

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        partition = self._partition(theta, group)
        m = state["exp_avg"].lerp_(gradient, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).add_(_means(gradient.square(), partition), alpha=1 - beta2)
        root = _spread((v / (1 - beta2**step)).sqrt_().add_(group["eps"]), partition, theta.ndim)
        theta.mul_(1 - lr * group["weight_decay"])
        theta.addcdiv_(m, root, value=-lr / (1 - beta1**step))


def _means(x: Tensor, partition: Partition | None) -> Tensor:
    """The mean of each block."""
    if partition is None:
        return x.mean() if x.numel() else x.new_zeros(())
    others = [axis for axis in range(x.ndim) if axis != partition.axis]
    line = x.mean(dim=others) if others else x
    parts = line.split([number * size for number, size in partition.runs])
    return torch.cat([part.unflatten(0, run).mean(dim=1) for part, run in zip(parts, partition.runs, strict=True)])


def _spread(values: Tensor, partition: Partition | None, dimensions: int) -> Tensor:
    """Values of blocks in a shape that broadcasts over the tensor."""
    if partition is None:
        return values
    parts = values.split([number for number, _ in partition.runs])
    line = torch.cat([part.repeat_interleave(size) for part, (_, size) in zip(parts, partition.runs, strict=True)])
    return line.view([-1 if axis == partition.axis else 1 for axis in range(dimensions)])
