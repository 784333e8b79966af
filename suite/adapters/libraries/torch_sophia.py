"""Sophia of sophia-opt, the authors' SophiaG, and of pytorch-optimizer, SophiaH. Both are given the estimates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters import Observation
from suite.adapters.libraries.torch_library import TorchLibrary
from suite.adapters.torch import array_of, tensor_of


class SophiaG(TorchLibrary):
    """sophia.SophiaG, which squares gradients of sampled labels itself: it is given the roots of the estimates."""

    optimizer = "Sophia"
    distribution = "sophia-opt"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("sophia_opt")
        from sophia_opt import SophiaG

        if hyperparameters.pop("eps") > 1e-12:
            self.unsupported("its eps is 1e-15")
        return SophiaG(params, rho=hyperparameters.pop("gamma"), **hyperparameters)

    def step(
        self, gradients: list[np.ndarray | None], lr: float, hessian: Sequence[np.ndarray | None] | None = None
    ) -> Observation:
        if any((x < 0).any() for x in hessian or () if x is not None):
            self.unsupported("its estimates are squares")
        optimizer: Any = self._optimizer
        for group in optimizer.param_groups:
            group["lr"] = lr
        if hessian is not None:
            self._give([None if x is None else np.sqrt(x) for x in hessian])
            optimizer.update_hessian()
        self._give(gradients)
        optimizer.step(bs=1)
        return Observation([array_of(parameter) for parameter in self._params])

    def _give(self, gradients: Sequence[np.ndarray | None]) -> None:
        for parameter, gradient in zip(self._params, gradients, strict=True):
            parameter.grad = None if gradient is None else tensor_of(np.asarray(gradient))


class SophiaH(TorchLibrary):
    """pytorch_optimizer.SophiaH, the rule of the paper's first version: clip(m / max(h, eps), p) with p for gamma."""

    optimizer = "Sophia"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import SophiaH

        self._taken, self._gamma = 0, hyperparameters.pop("gamma")
        return SophiaH(
            params,
            lr=hyperparameters["lr"] / self._gamma,
            betas=hyperparameters["betas"],
            p=self._gamma,
            eps=hyperparameters["eps"] / self._gamma,
            weight_decay=hyperparameters["weight_decay"] * self._gamma,
            update_period=2**31,
        )

    def step(
        self, gradients: list[np.ndarray | None], lr: float, hessian: Sequence[np.ndarray | None] | None = None
    ) -> Observation:
        if hessian is None and not self._taken:
            self.unsupported("its first step has an estimate")
        if any(x is None for x in hessian or ()):
            self.unsupported("an estimate is one of all tensors")
        self._taken += 1
        optimizer: Any = self._optimizer
        for group in optimizer.param_groups:
            group["lr"] = lr / self._gamma
        for parameter, gradient in zip(self._params, gradients, strict=True):
            parameter.grad = None if gradient is None else tensor_of(gradient)
        optimizer.step(hessian=None if hessian is None else [tensor_of(x) for x in hessian if x is not None])
        return Observation([array_of(parameter) for parameter in self._params])
