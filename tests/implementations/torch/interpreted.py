"""The GPU's kernels on the CPU, run by Triton's interpreter: what CI knows of them.

``install()`` makes ``fused=True`` on the CPU take them, for the whole process. As an adapter of the suite:

    python -m suite run --adapter tests/implementations/torch/interpreted.py:InterpretedTriton
"""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter

from alphaadam.torch import _paths
from alphaadam.torch import _triton_kernels as kernels
from suite.adapters.torch import AlphaAdam, Fused


def install() -> None:
    """Step tensors on the CPU by the GPU's kernels, in chunks so small that small tensors have several."""
    kernels.CHUNK, kernels.BLOCK, kernels.SUMS_BLOCK = 64, 32, 4
    _paths.FUSED["cpu"] = _paths.FUSED["cuda"]
    _paths.missing.cache_clear()
    interpreter._convert_float = _convert_float
    np.seterr(divide="ignore", invalid="ignore", over="ignore")  # NaN and infinity mean on a GPU what they mean


class InterpretedTriton(AlphaAdam):
    """alphaadam.torch.AlphaAdam, stepped by its kernels for GPUs; alpha and masks are looked at between the phases."""

    options: ClassVar[Mapping[str, Any]] = {"fused": True, "record_diagnostics": True}

    def __init__(self):
        install()


class InterpretedTritonFused(Fused):
    """The same in as few launches as training takes, without diagnostics."""

    def __init__(self):
        install()


_original = interpreter._convert_float


def _convert_float(values, source, target, rounding):
    """float32 to bfloat16 is rounded to nearest, ties to even, as a GPU does; Triton 3.8's interpreter truncates."""
    if (source, target) != (tl.float32, tl.bfloat16):
        return _original(values, source, target, rounding)
    rounded = torch.from_numpy(np.ascontiguousarray(values)).bfloat16()
    return rounded.view(torch.uint16).numpy()
