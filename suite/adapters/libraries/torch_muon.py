"""Muon of torch.optim, which takes matrices alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary

_SCALINGS = {"rms": "match_rms_adamw", "rows": "original"}


class Muon(TorchLibrary):
    """torch.optim.Muon."""

    optimizer = "Muon"
    distribution = "torch"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if any(array.ndim != 2 for array in params):
            self.unsupported("it takes matrices alone")
        super().load(dtype, params, m, v, step)

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        if hyperparameters["scaling"] not in _SCALINGS:
            self.unsupported("it has Jordan's scale for weights of outputs by inputs, and that of Liu et al.")
        return torch.optim.Muon(
            [parameter for parameter in params if parameter.ndim == 2] or [torch.zeros(1, 1)],
            lr=hyperparameters["lr"],
            weight_decay=hyperparameters["weight_decay"],
            momentum=hyperparameters["momentum"],
            nesterov=hyperparameters["nesterov"],
            ns_coefficients=tuple(hyperparameters["ns_coefficients"]),
            eps=hyperparameters["eps"],
            ns_steps=hyperparameters["ns_steps"],
            adjust_lr_fn=_SCALINGS[hyperparameters["scaling"]],
        )
