"""Muon of torch.optim, which takes matrices alone, and of pytorch-optimizer, which has an AdamW for the others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary

_SCALINGS = {"rms": "match_rms_adamw", "rows": "original"}
#: What pytorch-optimizer takes a smaller norm for; where none is, that is an eps of 0.
_LEAST_NORM = 1e-7


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


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.Muon, with a group of matrices and one of the others, as it asks for."""

    optimizer = "Muon"
    distribution = "pytorch-optimizer"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if self._hyperparameters["eps"] > _LEAST_NORM and any(array.ndim == 2 for array in params):
            self.unsupported("the least that its norm counts as is 1e-7, whatever it is asked for")
        super().load(dtype, params, m, v, step)

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import Muon

        if hyperparameters["scaling"] not in _SCALINGS:
            self.unsupported("it has Jordan's scale for weights of outputs by inputs, and that of Liu et al.")
        given = [(is_matrix, [p for p in params if (p.ndim == 2) == is_matrix]) for is_matrix in (True, False)]
        groups = [{"params": members, "use_muon": is_matrix} for is_matrix, members in given if members]
        return Muon(
            groups,
            lr=hyperparameters["lr"],
            momentum=hyperparameters["momentum"],
            weight_decay=hyperparameters["weight_decay"],
            nesterov=hyperparameters["nesterov"],
            ns_steps=hyperparameters["ns_steps"],
            ns_coeffs=tuple(hyperparameters["ns_coefficients"]),
            use_adjusted_lr=hyperparameters["scaling"] == "rms",
            adamw_lr=hyperparameters["lr"],
            adamw_betas=hyperparameters["adamw_betas"],
            adamw_wd=hyperparameters["weight_decay"],
            adamw_eps=hyperparameters["adamw_eps"],
        )
