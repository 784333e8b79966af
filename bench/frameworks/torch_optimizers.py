"""The optimizers that are compared in PyTorch, and what they tell of their last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from alphaadam.torch import AlphaAdam
from bench.tasks import Hyperparameters


class DecoupledSGD(torch.optim.SGD):
    """`torch.optim.SGD` whose weight decay is decoupled, as AdamW's is: θ ← (1 - ηλ) θ - η b, b ← μ b + g.

    PyTorch's own adds λ θ to the gradient, so that the decay would pass through the momentum.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step."""
        decays = [group["weight_decay"] for group in self.param_groups]
        for group, decay in zip(self.param_groups, decays, strict=True):
            if decay:
                torch._foreach_mul_([p for p in group["params"] if p.grad is not None], 1 - group["lr"] * decay)
            group["weight_decay"] = 0.0
        try:
            return super().step(closure)
        finally:
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay


def _lion(parameters: list, lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> Any:
    """Lion, whose decay is decoupled and whose betas mean something else than Adam's; it has no epsilon."""
    try:
        from lion_pytorch import Lion
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the optimizer lion is that of lion-pytorch, which is not installed; run"
            " `python -m pip install -c constraints.txt lion-pytorch`",
            name="lion_pytorch",
        ) from error
    return Lion(parameters, lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay)


def _sgd(parameters: list, lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> DecoupledSGD:
    return DecoupledSGD(parameters, lr=lr, momentum=0.9, weight_decay=weight_decay)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "alphaadam": AlphaAdam,  # as AdamW below in its fastest form, which its defaults choose
    "adamw": partial(torch.optim.AdamW, fused=True),  # the fastest of PyTorch's own forms
    "cautious-adamw": partial(AlphaAdam, masking="sync", alpha="count"),
    "adamw-sm": partial(AlphaAdam, masking="sync", alpha=1.0),
    "adamw-am": partial(AlphaAdam, masking="async", alpha=1.0),
    "lion": _lion,
    "sgd": _sgd,
}
"""Each takes parameters or groups, `lr`, `betas`, `eps` and decoupled `weight_decay`. Lion has betas of its own,
(0.9, 0.99), and SGD the momentum 0.9; what they have no use for they leave."""


def make_optimizer(
    name: str, parameters: list, learning_rate: float, hyperparameters: Hyperparameters
) -> torch.optim.Optimizer:
    """The optimizer of that name in `OPTIMIZERS` on parameters or groups."""
    return OPTIMIZERS[name](
        parameters,
        lr=learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        eps=hyperparameters.epsilon,
        weight_decay=hyperparameters.weight_decay,
    )


def record_masks(optimizer: torch.optim.Optimizer, record: bool) -> None:
    """Whether the next step keeps masks and alphas for `masks`, where the optimizer has any."""
    if isinstance(optimizer, AlphaAdam):
        optimizer.record_diagnostics = record


def masks(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> dict[str, dict[str, float | None]]:
    """What the last step's mask kept and its alpha, tensor by tensor.

    Of parameters that are sharded over processes it is that of the whole tensor, so every process must ask.

    Args:
        optimizer: It made a step after `record_masks(optimizer, True)`.
        named: Its parameters by name.

    Returns:
        "maskFraction", the part of the coordinates that the mask keeps, and "alpha"; null where there is no mask.
    """
    if not isinstance(optimizer, AlphaAdam):
        return {name: {"maskFraction": None, "alpha": None} for name in named}
    last = [optimizer.diagnostics[parameter] for parameter in named.values()]
    kept = torch.stack([diagnostics.mask.sum() for diagnostics in last])
    if any(isinstance(parameter, DTensor) for parameter in named.values()):
        dist.all_reduce(kept)
    fractions = [count / p.numel() for count, p in zip(kept.tolist(), named.values(), strict=True)]
    alphas = torch.stack([diagnostics.alpha for diagnostics in last]).tolist()
    return {
        name: {"maskFraction": fraction, "alpha": alpha}
        for name, fraction, alpha in zip(named, fractions, alphas, strict=True)
    }
