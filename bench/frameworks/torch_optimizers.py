"""The optimizers that are compared in PyTorch, and what they tell of their last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from alphaadam.torch import AlphaAdam, AlphaMask
from bench.frameworks.torch_baselines import BASELINE_OPTIMIZERS
from bench.names import load_library
from bench.parameters import Partition, blocks, taken
from bench.settings import HEAD_WIDTH, arguments_of, settings_of, weight_decay_of
from bench.tasks import Hyperparameters, Task, get_task


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
    library = load_library("lion_pytorch", "lion-pytorch", "lion")
    return library.Lion(parameters, lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay)


def _sgd(parameters: list, lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> DecoupledSGD:
    return DecoupledSGD(parameters, lr=lr, momentum=0.9, weight_decay=weight_decay)


_PLAIN: dict[str, Callable[..., torch.optim.Optimizer]] = {
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

OPTIMIZERS = (*_PLAIN, *BASELINE_OPTIMIZERS)
"""What `make_optimizer` makes."""

LIBRARIES = {
    **dict.fromkeys(("adamw", "sgd", "muon"), "torch"),
    "lion": "lion-pytorch",
}
"""The distributions of those that are not ours."""


def make_optimizer(
    name: str,
    parameters: list | Mapping[str, Tensor],
    learning_rate: float,
    hyperparameters: Hyperparameters,
    task: Task | None = None,
) -> Any:
    """The optimizer of that name in `OPTIMIZERS`, which has what is used here of `torch.optim.Optimizer`.

    Args:
        name: Its name.
        parameters: Parameters by name, from which groups are made; or parameters or groups as they should be.
        learning_rate: Its learning rate.
        hyperparameters: What all have in common.
        task: What it is for; None is gpt2-nano.

    Raises:
        ModuleNotFoundError: It is a library's, which is not installed.
        RuntimeError: It cannot be had here; the message says why.
    """
    groups = groups_of(name, parameters) if isinstance(parameters, Mapping) else parameters
    weight_decay = weight_decay_of(name, hyperparameters)
    if name in _PLAIN:
        return _PLAIN[name](
            groups,
            lr=learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            eps=hyperparameters.epsilon,
            weight_decay=weight_decay,
        )
    task = replace(task or get_task("gpt2-nano"), hyperparameters=hyperparameters)
    if name == "adam-mini" and isinstance(parameters, Mapping):
        partitions = blocks({key: p.shape for key, p in parameters.items()}, settings_of(name, task)[HEAD_WIDTH])
        groups = _with_blocks(groups, {parameters[key]: partition for key, partition in partitions.items()})
    if groups and isinstance(groups[0], Tensor):
        groups = [{"params": groups}]
    return BASELINE_OPTIMIZERS[name](groups, learning_rate, weight_decay, arguments_of(name, task))


def groups_of(optimizer: str, named: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """Parameter groups: those with and those without weight decay, of what an optimizer takes by its own rule; then,
    marked by "adamw", those of what it leaves to AdamW."""
    names = set(taken(optimizer, {name: p.shape for name, p in named.items()}))
    groups: list[dict[str, Any]] = []
    for marks, wanted in (({}, True), ({"adamw": True}, False)):
        of_rule = [p for name, p in named.items() if (name in names) == wanted]
        groups.append({"params": [p for p in of_rule if p.ndim >= 2], **marks})
        groups.append({"params": [p for p in of_rule if p.ndim < 2], "weight_decay": 0.0, **marks})
    return [group for group in groups if group["params"]]


def _with_blocks(groups: list[dict[str, Any]], partitions: Mapping[Tensor, Partition]) -> list[dict[str, Any]]:
    """A group for each parameter, with its blocks."""
    return [{**group, "params": [p], "blocks": partitions[p]} for group in groups for p in group["params"]]


def record_masks(optimizer: Any, record: bool) -> None:
    """Whether the next step keeps masks and alphas for `masks`, where the optimizer has any."""
    if isinstance(optimizer, (AlphaAdam, AlphaMask)):
        optimizer.record_diagnostics = record


def masks(optimizer: Any, named: Mapping[str, Tensor]) -> dict[str, dict[str, float | None]]:
    """What the last step's mask kept and its alpha, tensor by tensor.

    Of parameters that are sharded over processes it is that of the whole tensor, so every process must ask.

    Args:
        optimizer: It made a step after `record_masks(optimizer, True)`.
        named: Its parameters by name.

    Returns:
        "maskFraction", the part of the coordinates that the mask keeps, and "alpha"; null where there is no mask.
    """
    if not isinstance(optimizer, (AlphaAdam, AlphaMask)):
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
