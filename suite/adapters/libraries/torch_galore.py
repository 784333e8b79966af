"""GaLore of its authors and of pytorch-optimizer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary, matrix_groups


def _projection(hyperparameters: dict[str, Any], kind: str) -> dict[str, Any]:
    return {kind: "std", **{name: hyperparameters.pop(name) for name in ("rank", "update_proj_gap", "scale")}}


class GaloreTorch(TorchLibrary):
    """galore_torch.GaLoreAdamW."""

    optimizer = "GaLore"
    distribution = "galore-torch"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("galore_torch")
        from galore_torch import GaLoreAdamW

        projection = _projection(hyperparameters, "proj_type")
        groups = matrix_groups(params, hyperparameters, projection)
        return GaLoreAdamW(groups, no_deprecation_warning=True, **hyperparameters)


class PytorchOptimizer(TorchLibrary):
    """pytorch_optimizer.GaLore."""

    optimizer = "GaLore"
    distribution = "pytorch-optimizer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        self.require("pytorch_optimizer")
        from pytorch_optimizer import GaLore

        projection = _projection(hyperparameters, "projection_type")
        return GaLore(matrix_groups(params, hyperparameters, projection), **hyperparameters)
