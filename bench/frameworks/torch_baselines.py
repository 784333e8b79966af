"""The optimizers that AlphaAdam is compared with, in PyTorch: ours, and those of libraries that are no drop-in."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from alphaadam.torch import AlphaMask
from bench.names import BASELINES, load_baseline, load_library

Groups = list[dict[str, Any]]
Factory = Callable[..., Any]
"""Takes groups as `bench.frameworks.torch_optimizers.groups_of` makes them, learning rate, weight decay and settings in
the names of `bench.settings`."""


class Together:
    """Two optimizers as one, each with groups of its own; the learning rate is set in the groups, as everywhere here.

    Args:
        optimizers: They step one after the other.
    """

    def __init__(self, *optimizers: Optimizer) -> None:
        self._optimizers = optimizers

    @property
    def param_groups(self) -> Groups:
        """The groups of all of them, the same objects."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    @property
    def state(self) -> Mapping[torch.Tensor, Any]:
        """What all of them keep, by parameter."""
        return {parameter: kept for optimizer in self._optimizers for parameter, kept in optimizer.state.items()}

    def zero_grad(self) -> None:
        """Drops all gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """One step of each."""
        for optimizer in self._optimizers:
            optimizer.step()


def _ours(name: str, groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> Optimizer:
    return load_baseline("torch", name)(groups, lr=lr, weight_decay=weight_decay, **arguments(settings))


def _muon(groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> Together:
    """`torch.optim.Muon`, which takes matrices alone, and AdamW for the others.

    Its update has the root mean square 0.2, about that of AdamW's, so that both have the same learning rate.
    """
    given = arguments(settings)
    matrices = [group for group in groups if not group.get("adamw")]
    others = [{key: value for key, value in group.items() if key != "adamw"} for group in groups if group.get("adamw")]
    if given["rms"] != 0.2:
        raise ValueError(f"torch.optim.Muon matches a root mean square of 0.2, not {given['rms']!r}")
    muon = torch.optim.Muon(
        matrices,
        lr=lr,
        weight_decay=weight_decay,
        momentum=given["momentum"],
        ns_steps=given["ns_steps"],
        adjust_lr_fn="match_rms_adamw",
    )
    if not others:
        return Together(muon)
    betas, eps = given["adamw_betas"], given["adamw_eps"]
    return Together(muon, torch.optim.AdamW(others, lr, betas, eps, weight_decay, fused=True))


def _adam_8bit(groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> Optimizer:
    """Ours; a tensor that is left to AdamW is one too small to be quantised."""
    given = []
    for group in groups:
        plain = {key: value for key, value in group.items() if key != "adamw"}
        given.append(plain | {"min_8bit_size": sys.maxsize} if group.get("adamw") else plain)
    return _ours("Adam8bit", given, lr, weight_decay, settings)


def _masked(inner: Factory) -> Factory:
    def made(groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> AlphaMask:
        return AlphaMask(inner(groups, lr, weight_decay, settings))

    return made


def _sgd(groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> Optimizer:
    return torch.optim.SGD(groups, lr, momentum=settings["momentum"], weight_decay=weight_decay)


def _lion(groups: Groups, lr: float, weight_decay: float, settings: Mapping[str, Any]) -> Optimizer:
    library = load_library("lion_pytorch", "lion-pytorch", "alphamask-lion")
    return library.Lion(groups, lr=lr, weight_decay=weight_decay, **arguments(settings))


BASELINE_OPTIMIZERS: dict[str, Factory] = {
    **{optimizer: partial(_ours, name) for optimizer, name in BASELINES.items()},
    "adam-8bit": _adam_8bit,
    "muon": _muon,
    "alphamask-sgd": _masked(_sgd),
    "alphamask-lion": _masked(_lion),
    "alphamask-adan": _masked(partial(_ours, "Adan")),
}


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in the words of PyTorch: "beta1" and "beta2" become "betas"."""
    given = dict(settings)
    for prefix in ("", "adamw_"):
        names = (f"{prefix}beta{number}" for number in itertools.count(1))
        betas = [given.pop(name) for name in itertools.takewhile(given.__contains__, names)]
        if betas:
            given[f"{prefix}betas"] = tuple(betas)
    return given
