"""8-bit Adam of bitsandbytes."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.adapters.libraries.torch_library import TorchLibrary


class Bitsandbytes(TorchLibrary):
    """bitsandbytes.optim.AdamW8bit, with the kernels of the device that it runs on: the CPU."""

    optimizer = "Adam8bit"
    distribution = "bitsandbytes"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        if importlib.util.find_spec("bitsandbytes") is None:
            self.unsupported("not installed: python -m pip install -c constraints.txt bitsandbytes")
        from bitsandbytes.optim import AdamW8bit

        block_size = hyperparameters.pop("block_size")
        least = hyperparameters["min_8bit_size"]
        if block_size != 256 and any(param.numel() >= least for param in params):
            self.unsupported("its blocks are of 256 elements")
        return AdamW8bit(params, **hyperparameters)

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if dtype == "float64":
            self.unsupported("its arithmetic and state are float32")
        super().load(dtype, params, m, v, step)
