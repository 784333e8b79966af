"""1-bit Adam: Adam whose workers exchange one bit per parameter once its second moment has settled."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.optim.optimizer import ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch.baselines._baseline import Baseline, check_betas, zeros
from alphaadam.torch.baselines._one_bit_exchange import Momentum, Workers

__all__ = ["OneBitAdam"]


class OneBitAdam(Baseline):
    r"""Adam up to a step, and from then on with a fixed second moment and a momentum compressed to signs.

    Up to step :math:`T` (``freeze_step``) the gradients are averaged over the workers, the processes of a group, and
    both moments are Adam's. Afterwards :math:`v` stays as it is, and each worker :math:`w` of :math:`W` sends the signs
    of its momentum and one scale; what that loses is added to what it sends next. The worker that serves a chunk of the
    tensor averages the chunks that it receives, and sends the average in the same way:

    .. math::
        c_w &= \beta_1 m_{t-1} + (1 - \beta_1) g_w + \delta_w, & \hat c_w &= C(c_w), &
            \delta_w &\leftarrow c_w - \hat c_w, \\
        \bar c &= \frac 1 W \sum_w \hat c_w + \bar\delta, & m_t &= C(\bar c), &
            \bar\delta &\leftarrow \bar c - m_t, \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \frac{m_t}{\sqrt{v_T} + \epsilon}, &
            C(c) &= \pm \frac{\lVert c \rVert_2}{\sqrt n}

    It takes every parameter. A coordinate that had no gradient up to step :math:`T` does not move afterwards: one bit
    cannot say 0.

    Every worker keeps all parameters, which must be the same on all of them at the start, and computes gradients from
    its own part of the batch. The optimizer averages them, so train without ``DistributedDataParallel``, or within its
    ``no_sync()``. All workers must step together and have gradients of the same parameters; so do not use a
    ``GradScaler``, which may skip a step on one of them alone. The compression errors differ from worker to worker:
    each saves its own checkpoint and resumes from it, in a group of the same size.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        freeze_step: Number of steps of Adam before the second moment is frozen, >= 1; the paper takes about 15 to 20 %
            of the training. Less than ``1 / (1 - betas[1])`` needs ``bias_correction``, or all later steps are long.
        bias_correction: Divide the moments by :math:`1 - \beta^t` as AdamW does, the second by that of step
            :math:`T` after it. The paper does not.
        maximize: Ascend instead of descend.
        process_group: The workers; None is the default group, or this process alone where none was initialized.

    Raises:
        TypeError: A hyperparameter is of the wrong type, a parameter is complex, or this process is not in
            ``process_group``.
        ValueError: A hyperparameter is out of range.

    Source: Tang et al. (2021), https://arxiv.org/abs/2102.02888, algorithm 1.

    Example:
        >>> import torch
        >>> from alphaadam.torch.baselines import OneBitAdam
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = OneBitAdam([parameter], lr=0.1, freeze_step=1, bias_correction=True)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     parameter.square().sum().backward()
        ...     optimizer.step()
        >>> parameter.data
        tensor([ 0.7469, -1.8234])
    """

    process_group: "dist.ProcessGroup | None"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        freeze_step: int = 1000,
        bias_correction: bool = False,
        maximize: bool = False,
        process_group: "dist.ProcessGroup | None" = None,
    ) -> None:
        if not (process_group is None or (dist.is_available() and isinstance(process_group, dist.ProcessGroup))):
            raise TypeError(
                f"{self._name}: process_group={process_group!r} is not valid. Pass a group that this process is in, as "
                "torch.distributed.new_group() returns it, or None for the default group."
            )
        self.process_group = process_group
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "freeze_step": freeze_step,
            "bias_correction": bias_correction,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "process_group": self.process_group}

    def _check(self, group: Mapping[str, Any]) -> None:
        check_betas("betas", group["betas"], self._name)
        checks.check_positive("eps", group["eps"], "1e-8", self._name)
        checks.check_count("freeze_step", group["freeze_step"], "1000", self._name)
        checks.check_flag("bias_correction", group["bias_correction"], self._name)

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        state = {key: zeros(parameter) for key in ("exp_avg", "exp_avg_sq", "worker_error")}
        workers = Workers(self.process_group)
        if workers.size > 1:
            state["server_error"] = state["exp_avg"].flatten()[workers.chunk(parameter)].clone()
        return state

    def _step_all(self, taking_part: Sequence[tuple[Tensor, Mapping[str, Any]]]) -> None:
        """Step parameters together, so that few messages carry what the workers exchange."""
        workers = Workers(self.process_group)
        received = [(*self._receive(parameter, group), group) for parameter, group in taking_part]
        early = [item for item in received if item[1]["step"] <= item[2]["freeze_step"]]
        late = [item for item in received if item[1]["step"] > item[2]["freeze_step"]]
        averages = workers.average([gradient for gradient, _, _ in early])
        for gradient, (_, state, group) in zip(averages, early, strict=True):
            beta1, beta2 = group["betas"]
            state["exp_avg"].lerp_(gradient, 1 - beta1)
            state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        for gradient, state, group in late:
            state["exp_avg"].lerp_(gradient, 1 - group["betas"][0])
        workers.exchange([Momentum(s["exp_avg"], s["worker_error"], s.get("server_error")) for _, s, _ in late])
        for _, state, _ in late:
            state["exp_avg"] *= state["exp_avg_sq"] != 0  # a product, in which a NaN stays one
        for (parameter, group), (_, state, _) in zip(taking_part, received, strict=True):
            self._apply(parameter, state, group)

    def _apply(self, parameter: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> None:
        m, v, step, lr = state["exp_avg"], state["exp_avg_sq"], int(state["step"].item()), group["lr"]
        theta = parameter.to(m.dtype)
        if group["bias_correction"]:
            beta1, beta2 = group["betas"]
            v = v / (1 - beta2 ** min(step, group["freeze_step"]))
            lr = lr / (1 - beta1**step)
        theta.mul_(1 - group["lr"] * group["weight_decay"])
        theta.addcdiv_(m, v.sqrt().add_(group["eps"]), value=-lr)
        if theta is not parameter:
            parameter.copy_(theta)
