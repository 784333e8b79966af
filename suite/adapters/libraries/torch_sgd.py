"""SGD of torch.optim, of pytorch-optimizer and of bitsandbytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary


class SGD(TorchLibrary):
    """torch.optim.SGD."""

    optimizer = "SGD"
    distribution = "torch"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        if hyperparameters["nesterov"] and not hyperparameters["momentum"]:
            self.unsupported("it refuses Nesterov's form without momentum")
        return torch.optim.SGD(params, **hyperparameters)


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.SGDW, which decouples the decay."""

    optimizer = "SGD"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import SGDW

        return SGDW(params, **hyperparameters)


class Bitsandbytes(TorchLibrary):
    """bitsandbytes.optim.SGD32bit, with the kernels of the device that it runs on: the CPU."""

    optimizer = "SGD"
    distribution = "bitsandbytes"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if dtype == "float64":
            self.unsupported("its arithmetic and state are float32")
        super().load(dtype, params, m, v, step)

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("bitsandbytes")
        from bitsandbytes.optim import SGD32bit

        if not hyperparameters["momentum"]:
            self.unsupported("it refuses to go without momentum")
        return SGD32bit(params, **hyperparameters)
