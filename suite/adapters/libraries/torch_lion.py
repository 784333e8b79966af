"""Lion of lion-pytorch, of pytorch-optimizer and of bitsandbytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary


class LionPytorch(TorchLibrary):
    """lion_pytorch.Lion."""

    optimizer = "Lion"
    distribution = "lion-pytorch"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        from lion_pytorch import Lion

        return Lion(params, **hyperparameters)


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.Lion."""

    optimizer = "Lion"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import Lion

        return Lion(params, **hyperparameters)


class Bitsandbytes(TorchLibrary):
    """bitsandbytes.optim.Lion32bit, with the kernels of the device that it runs on: the CPU."""

    optimizer = "Lion"
    distribution = "bitsandbytes"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if dtype == "float64":
            self.unsupported("its arithmetic and state are float32")
        super().load(dtype, params, m, v, step)

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("bitsandbytes")
        from bitsandbytes.optim import Lion32bit

        return Lion32bit(params, **hyperparameters)
