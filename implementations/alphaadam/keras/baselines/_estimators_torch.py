"""The estimators on PyTorch: those of ``alphaadam.torch``."""

from collections.abc import Callable
from typing import Any

import torch

from alphaadam.torch import baselines


def hutchinson(loss: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``u * (H u)``."""
    return _in_order(baselines.hutchinson, loss, values, seed)


def gauss_newton_bartlett(logits: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    """``B * g**2``."""
    return _in_order(baselines.gauss_newton_bartlett, logits, values, seed)


def _in_order(estimator: Any, function: Callable[[list[Any]], Any], values: list[Any], seed: Any) -> list[Any]:
    leaves = [value.detach().requires_grad_() for value in values]
    device = leaves[0].device if leaves else "cpu"
    found = estimator(lambda: function(leaves), leaves, generator=torch.Generator(device).manual_seed(int(seed)))
    return [found[leaf] if leaf in found else torch.zeros_like(leaf, requires_grad=False) for leaf in leaves]
