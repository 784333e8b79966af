"""Adapters for the baselines of alphaadam.torch. Names of hyperparameters are those of the vectors but for betas."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

import alphaadam.torch
from alphaadam.torch import baselines
from suite.adapters import Observation
from suite.adapters.torch import array_of, tensor_of


def arguments(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters by their names in PyTorch."""
    given = dict(hyperparameters)
    for prefix in ("", "adamw_"):
        betas = [given.pop(name) for name in (f"{prefix}beta{number}" for number in (1, 2, 3)) if name in given]
        if betas:
            given[f"{prefix}betas"] = tuple(betas)
    return given


class Baseline:
    """What they have in common: a class of the optimizer's name, and parameters that are read back."""

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {}

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        return getattr(baselines, self.optimizer)(params, **hyperparameters)

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "torch": torch.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        self._hyperparameters = arguments(hyperparameters)
        self._make([torch.nn.Parameter(torch.zeros(1))], dict(self._hyperparameters))

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        self._params = [torch.nn.Parameter(tensor_of(array)) for array in params]
        self._optimizer = self._make(self._params, dict(self._hyperparameters))

    def add(self, params: list[np.ndarray]) -> None:
        late = [torch.nn.Parameter(tensor_of(array)) for array in params]
        self._optimizer.add_param_group({"params": late})
        self._params += late

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        for parameter, gradient in zip(self._params, gradients, strict=True):
            parameter.grad = None if gradient is None else tensor_of(gradient)
        self._optimizer.step()
        return Observation([array_of(parameter) for parameter in self._params])


class EXAdam(Baseline):
    """alphaadam.torch.baselines.EXAdam."""

    optimizer = "EXAdam"


class Conda(Baseline):
    """alphaadam.torch.baselines.Conda."""

    optimizer = "Conda"


class MGUP(Baseline):
    """alphaadam.torch.baselines.MGUP."""

    optimizer = "MGUP"


class Adam8bit(Baseline):
    """alphaadam.torch.baselines.Adam8bit."""

    optimizer = "Adam8bit"


class OneBitAdam(Baseline):
    """alphaadam.torch.baselines.OneBitAdam."""

    optimizer = "OneBitAdam"
    skips: ClassVar[Mapping[str, str]] = {"Workers": "one process is one worker; the package's tests run several"}


class LDAdam(Baseline):
    """alphaadam.torch.baselines.LDAdam."""

    optimizer = "LDAdam"


class MicroAdam(Baseline):
    """alphaadam.torch.baselines.MicroAdam."""

    optimizer = "MicroAdam"


class GaLore(Baseline):
    """alphaadam.torch.baselines.GaLore."""

    optimizer = "GaLore"


class ROOT(Baseline):
    """alphaadam.torch.baselines.ROOT."""

    optimizer = "ROOT"


class Sophia(Baseline):
    """alphaadam.torch.baselines.Sophia."""

    optimizer = "Sophia"

    def step(
        self, gradients: list[np.ndarray | None], lr: float, hessian: Sequence[np.ndarray | None] = ()
    ) -> Observation:
        estimates = {p: tensor_of(x) for p, x in zip(self._params, hessian, strict=False) if x is not None}
        optimizer: Any = self._optimizer
        optimizer.update_hessian(estimates)
        return super().step(gradients, lr)


class AdamMini(Baseline):
    """alphaadam.torch.baselines.AdamMini, each tensor in a group of its own that says its partition."""

    optimizer = "AdamMini"

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        self._blocks = hyperparameters["blocks"]
        super().construct({name: value for name, value in hyperparameters.items() if name != "blocks"})

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        super().load(dtype, params, m, v, step)
        blocks = self._blocks or [None] * len(params)
        groups = [{"params": [param], "blocks": own} for param, own in zip(self._params, blocks, strict=True)]
        self._optimizer = baselines.AdamMini(groups, **self._hyperparameters)


class Adan(Baseline):
    """alphaadam.torch.baselines.Adan."""

    optimizer = "Adan"


class AlphaMaskAdan(Baseline):
    """alphaadam.torch.AlphaMask around alphaadam.torch.baselines.Adan."""

    optimizer = "AlphaMaskAdan"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        mask = {name: hyperparameters.pop(name) for name in ("masking", "alpha", "alpha_max")}
        return alphaadam.torch.AlphaMask(baselines.Adan(params, **hyperparameters), **mask)
