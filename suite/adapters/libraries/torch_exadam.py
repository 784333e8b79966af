"""EXAdam of pytorch-optimizer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.EXAdam."""

    optimizer = "EXAdam"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        from pytorch_optimizer import EXAdam

        if hyperparameters.pop("dynamic_step_size"):
            self.unsupported("it has the rule of the paper's second version alone")
        return EXAdam(params, **hyperparameters)
