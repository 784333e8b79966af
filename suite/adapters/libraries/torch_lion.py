"""Lion of lion-pytorch."""

from collections.abc import Sequence
from typing import Any

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
