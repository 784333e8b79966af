"""SGD of torch.optim."""

from collections.abc import Sequence
from typing import Any

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
