"""What the adapters of PyTorch's libraries have in common."""

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from suite.adapters import UnsupportedError
from suite.adapters.torch_baselines import Baseline


class TorchLibrary(Baseline):
    """Driven as our own are; ``_make`` imports the library and gives its names to the hyperparameters."""

    distribution: ClassVar[str]
    validates: ClassVar[bool] = False

    def versions(self) -> dict[str, str]:
        return {self.distribution: importlib.metadata.version(self.distribution), "torch": torch.__version__}

    def require(self, module: str) -> None:
        """Skip the test if the library is not installed."""
        if importlib.util.find_spec(module) is None:
            self.unsupported(f"not installed: python -m pip install -c constraints.txt {self.distribution}")

    def unsupported(self, reason: str) -> NoReturn:
        """Skip the test."""
        raise UnsupportedError(f"{self.distribution}: {reason}")


def matrix_groups(
    params: Sequence[Tensor], hyperparameters: dict[str, Any], matrices: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer that is Adam for other tensors than matrices, which get ``adamw_*`` settings.

    Args:
        params: Parameters, which are put into groups of one, so that they keep their order.
        hyperparameters: By their names in PyTorch; ``adamw_*`` are taken out.
        matrices: What the group of a matrix has beside its parameter.
    """
    others = {name: hyperparameters.pop(f"adamw_{name}") for name in ("betas", "eps")}
    return [{"params": [param], **(matrices if param.ndim == 2 else others)} for param in params]
