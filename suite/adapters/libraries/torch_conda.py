"""Conda of pytorch-optimizer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary, matrix_groups


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.Conda."""

    optimizer = "Conda"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import Conda

        return Conda(matrix_groups(params, hyperparameters, {}), **hyperparameters)
