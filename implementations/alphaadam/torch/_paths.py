"""Which code carries out a step: what was asked for, else the fastest that is there."""

import functools
import importlib
import importlib.util
import warnings
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from alphaadam.torch import _foreach, _loop

__all__ = ["choose", "is_addressable", "is_fused", "require_fused"]

_FUSED_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.complex64, torch.complex128)
#: Of each type of device: the module of its fused step, the compiler that it needs, and how to install that.
FUSED = {
    "cpu": ("alphaadam.torch._numba", "numba", 'python -m pip install "alphaadam[torch,numba]"'),
    "cuda": ("alphaadam.torch._triton", "triton", "python -m pip install triton"),
}
#: Where PyTorch has kernels for lists of tensors.
FOREACH_DEVICES = ("cuda", "xpu")
#: Types whose elements lie where their address says; a subclass may have none, as FakeTensor, or must be waited for.
_PLAIN = (torch.Tensor, torch.nn.Parameter)


def require_fused(device: torch.device, dtype: torch.dtype) -> None:
    """Check that a fused step of tensors of a dtype on a device can be had.

    Raises:
        RuntimeError: It cannot; the message says why and what to do.
    """
    reason = missing(device.type, dtype)
    if reason:
        raise RuntimeError(f"AlphaAdam: fused=True is not available: {reason}, or pass fused=None to take what is.")


def choose(group: dict[str, Any], device: torch.device, dtype: torch.dtype) -> ModuleType:
    """The module whose ``step`` and ``begin`` step a group's tensors on a device.

    Args:
        group: The parameter group: ``foreach``, ``fused`` and ``differentiable`` are read.
        device: Of the tensors.
        dtype: Of the tensors.

    Raises:
        RuntimeError: The group asks for ``fused=True``, which is not available.
    """
    if group["differentiable"]:
        return _loop
    if torch.compiler.is_compiling():  # the compiler fuses by itself
        return _foreach
    if group["fused"]:
        require_fused(device, dtype)
        return _load(FUSED[device.type][0])
    if group["foreach"] is not None or group["fused"] is not None:
        return _foreach if group["foreach"] else _loop
    if device.type in FUSED:
        reason = missing(device.type, dtype)
        if not reason:
            return _load(FUSED[device.type][0])
        _warn_once(device.type, reason)
    return _foreach if device.type in FOREACH_DEVICES else _loop


def is_fused(path: ModuleType) -> bool:
    """Whether a path's kernels address memory themselves, and so need dense tensors."""
    return path not in (_loop, _foreach)


def is_addressable(parameter: Tensor, gradient: Tensor, *moments: Tensor) -> bool:
    """Whether kernels can walk through a parameter's memory, and meet the same elements in the others' memory."""
    tensors = (parameter, gradient, *moments)
    dtype, device = parameter.dtype, parameter.device
    contiguous = True
    for tensor in tensors:
        if type(tensor) not in _PLAIN or tensor.dtype != dtype or tensor.device != device:
            return False
        contiguous = contiguous and tensor.is_contiguous()
    if gradient.is_neg() or gradient._is_zerotensor():  # memory does not say so
        return False
    if contiguous:
        return True
    strides = parameter.stride()
    # A new tensor has the strides of the old one only where that has neither gaps nor overlaps.
    dense = torch.empty_like(parameter, device="meta").stride() == strides
    return dense and all(tensor.stride() == strides for tensor in tensors)


@functools.cache
def missing(device: str, dtype: torch.dtype) -> str:
    """Why a fused step on a type of device cannot be had, and what would help; empty if it can."""
    if device not in FUSED:
        return f"parameters are on {device!r}, and it exists for {', '.join(map(repr, FUSED))}. Move them there"
    if dtype not in _FUSED_DTYPES:
        names = ", ".join(str(supported).removeprefix("torch.") for supported in _FUSED_DTYPES)
        return f"parameters are {dtype}, and it exists for {names}. Convert them"
    module, compiler, command = FUSED[device]
    if importlib.util.find_spec(compiler) is None:
        return f"on {device!r} it needs {compiler}, which is not installed. Run `{command}`"
    try:
        importlib.import_module(module)
    except Exception as error:  # a compiler that does not fit this Python, NumPy or machine is as good as none
        return f"on {device!r} it needs {compiler}, which failed: {type(error).__name__}: {error}. Run `{command}`"
    return ""


def _load(name: str) -> ModuleType:
    return importlib.import_module(name)


@functools.cache
def _warn_once(device: str, reason: str) -> None:
    warnings.warn(
        f"AlphaAdam takes a slower path, with the same result: no fused step, since {reason}. To choose a path "
        "without this warning, pass foreach=True or foreach=False.",
        stacklevel=2,
    )
