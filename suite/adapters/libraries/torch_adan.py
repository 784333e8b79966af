"""Adan of pytorch-optimizer. (The authors' own package compiles CUDA code; adan-pytorch is another rule.)"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.Adan."""

    optimizer = "Adan"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        from pytorch_optimizer import Adan

        return Adan(params, weight_decouple=hyperparameters.pop("no_prox"), **hyperparameters)
