"""The step on the PyTorch backend: the kernels of ``alphaadam.torch`` on Keras' variables.

The one place where a room of this package imports another: both have the same tensors in their hands, and the same
step on them. Imported only where Keras runs on PyTorch.
"""

import functools
import warnings
import weakref
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import keras
import torch
from keras.src.backend.common.stateless_scope import in_stateless_scope
from torch import Tensor

from alphaadam.torch import _foreach, _groups, _loop, _paths
from alphaadam.torch._settings import Settings, Tensors

__all__ = ["can_step", "is_at_hand", "step"]

#: Where sums in float64, which all of these paths take, exist.
_DEVICES = ("cpu", "cuda", "xpu")
#: For the paths' choice: nothing was asked for.
_FREE = {"differentiable": False, "fused": None, "foreach": None}
#: Of each optimizer, what :func:`_counts` keeps on GPUs.
_count_copies: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()


def is_at_hand(scalar: Any) -> bool:
    """Whether the host has a scalar: not while it is traced, and not on a GPU, for which it would have to wait."""
    value = scalar.value if isinstance(scalar, keras.Variable) else scalar
    return not torch.compiler.is_compiling() and not (isinstance(value, Tensor) and value.device.type != "cpu")


def can_step(variables: Sequence[Any]) -> bool:
    """Whether variables can be updated in place: not where a stateless scope stands for their values."""
    return not in_stateless_scope() and all(variable.value.device.type in _DEVICES for variable in variables)


def step(optimizer: Any, gradients: Sequence[Tensor], variables: Sequence[Any], learning_rate: Any) -> None:
    """Carry out one step in place, in batches of variables of one device, dtype and weight decay.

    Args:
        optimizer: The built ``alphaadam.keras.AlphaAdam``.
        gradients: One for each variable.
        variables: Keras variables that take part.
        learning_rate: Of this step; a number, tensor or Keras variable.

    Raises:
        RuntimeError: A gradient is sparse.
    """
    batches: dict[tuple[torch.device, torch.dtype, float], list[int]] = {}
    indices = [optimizer._get_variable_index(variable) for variable in variables]
    values = [variable.value for variable in variables]
    for row, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
        _groups.check_gradient(value, gradient)
        decay = optimizer.weight_decay if optimizer._use_weight_decay(variables[row]) else 0.0
        batches.setdefault((value.device, value.dtype, decay), []).append(row)
    with torch.no_grad():
        for (device, dtype, decay), rows in batches.items():
            of_batch = [
                (
                    values[row],
                    gradients[row],
                    optimizer._momentums[indices[row]].value,
                    optimizer._velocities[indices[row]].value,
                )
                for row in rows
            ]
            for path, chosen in _by_path(_path(device, dtype), of_batch):
                counts = _counts(optimizer, device, decay, len(chosen), path)
                params, grads, momenta, velocities = zip(*(of_batch[one] for one in chosen), strict=True)
                tensors = Tensors(params, grads, momenta, velocities, counts)
                decided = path.step(tensors, _settings(optimizer, learning_rate, decay, device, path))
                if optimizer.record_diagnostics:
                    for one, (alpha, mask) in zip(chosen, decided, strict=True):
                        index = indices[rows[one]]
                        optimizer._alphas[index].assign(alpha)
                        optimizer._masks[index].assign(mask)


def _path(device: torch.device, dtype: torch.dtype) -> ModuleType:
    """The path of :mod:`alphaadam.torch` that steps tensors of a dtype on a device."""
    if not torch.compiler.is_compiling() and device.type in _paths.FUSED:
        reason = _paths.missing(device.type, dtype)
        if reason:
            _warn_once(reason)
            return _foreach if device.type in _paths.FOREACH_DEVICES else _loop
    return _paths.choose(_FREE, device, dtype)


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(f"AlphaAdam takes a slower path, with the same result: no fused step, since {reason}.", stacklevel=2)


def _by_path(path: ModuleType, batch: Sequence[tuple[Tensor, ...]]) -> Iterable[tuple[ModuleType, list[int]]]:
    """The rows of a batch by the path that they take: those that kernels cannot address go through the plain loop."""
    rows = range(len(batch))
    if not _paths.is_fused(path):
        return [(path, list(rows))]
    fits = [_paths.is_addressable(*one) for one in batch]
    chosen = ((path, [row for row in rows if fits[row]]), (_loop, [row for row in rows if not fits[row]]))
    return [(taken, some) for taken, some in chosen if some]


def _settings(optimizer: Any, learning_rate: Any, decay: float, device: torch.device, path: ModuleType) -> Settings:
    fused = _paths.is_fused(path)
    by_tensor = torch.compiler.is_compiling() or not (fused or device.type == "cpu")
    lr = learning_rate.value if isinstance(learning_rate, keras.Variable) else learning_rate
    if by_tensor:
        lr = torch.as_tensor(lr, device=device).to(torch.float64).reshape(())
    elif not (fused and device.type == "cuda" and isinstance(lr, Tensor)):  # which the kernels read there
        lr = float(lr)
    return Settings(
        lr=lr,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        eps=optimizer.epsilon,
        weight_decay=decay,
        masking=optimizer.masking,
        alpha=optimizer.alpha,
        alpha_max=optimizer.alpha_max,
        maximize=False,
        by_tensor=by_tensor,
        record=optimizer.record_diagnostics,
    )


def _counts(optimizer: Any, device: torch.device, decay: float, count: int, path: ModuleType) -> list[Tensor]:
    """The number of steps before this one, a tensor for each variable, as :mod:`alphaadam.torch` keeps it.

    A path counts them up. Keras has one count for all, so these are copies of it. Where kernels read them on a GPU,
    they are the same memory at every step, since the kernels' tables of addresses are kept from step to step.
    """
    iterations = optimizer.iterations
    iterations = iterations.value if isinstance(iterations, keras.Variable) else iterations
    if torch.compiler.is_compiling():
        return list(iterations.to(torch.float32).expand(count).clone().unbind())
    if device.type == "cpu":
        return list(torch.full((count,), float(iterations)).unbind())
    kept = _count_copies.setdefault(optimizer, {})
    key = (device, decay, count, path)
    if key not in kept:
        buffer = torch.empty(count, dtype=torch.float32, device=device)
        kept[key] = (buffer, list(buffer.unbind()))
    buffer, counts = kept[key]
    buffer.copy_(iterations)
    return counts
