"""What a parameter group may hold, and clear errors for what it may not."""

import difflib
from typing import Any

import torch
from torch import Tensor

from alphaadam import _hyperparameters as checks
from alphaadam._hyperparameters import check_flag

__all__ = ["EXECUTION_DEFAULTS", "check", "check_before_step", "check_dtype", "check_flag", "check_gradient"]

#: How a step is carried out: a matter of the machine, not of the training.
EXECUTION_DEFAULTS = {"foreach": None, "capturable": False, "differentiable": False, "fused": None}

_KEYS = frozenset(
    ("params", "lr", "betas", "eps", "weight_decay", "masking", "alpha", "alpha_max", "maximize", *EXECUTION_DEFAULTS)
)
#: What other libraries call them. Any other key is somebody's own: schedulers and trainers keep theirs in the groups.
_OTHER_NAMES = {
    "learning_rate": "lr",
    "beta1": "betas",
    "beta2": "betas",
    "beta_1": "betas",
    "beta_2": "betas",
    "b1": "betas",
    "b2": "betas",
    "epsilon": "eps",
    "wd": "weight_decay",
    "decay": "weight_decay",
    "mask": "masking",
}


def check(group: dict[str, Any]) -> None:
    """Check every hyperparameter of a group.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or a key looks like a misspelt one.
        RuntimeError: Paths exclude one another.
    """
    _check_keys(group)
    _check_lr(group["lr"])
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(
            f"AlphaAdam: betas={betas!r} is not valid. Pass a pair of numbers, for example betas=(0.9, 0.999)."
        )
    checks.check_beta("betas[0]", betas[0], "0.9")
    checks.check_beta("betas[1]", betas[1], "0.999")
    checks.check_nonnegative("eps", group["eps"], "1e-8")
    checks.check_nonnegative("weight_decay", group["weight_decay"], "0.01")
    checks.check_masking(group["masking"])
    checks.check_alpha(group["alpha"], group["alpha_max"])
    for name in ("maximize", "capturable", "differentiable"):
        check_flag(name, group[name])
    for name in ("foreach", "fused"):
        if group[name] is not None:
            check_flag(name, group[name])
    chosen = [name for name in ("foreach", "fused", "differentiable") if group[name]]
    if len(chosen) > 1:
        raise RuntimeError(
            f"AlphaAdam: {' and '.join(f'{name}=True' for name in chosen)} exclude one another: each asks for another "
            "way to carry out the step. Keep one of them."
        )


def check_before_step(group: dict[str, Any]) -> None:
    """Check what schedulers change between steps, as far as that is known without waiting for a device."""
    if group.keys() - _KEYS:
        _check_keys(group)
    lr = group["lr"]
    if not isinstance(lr, Tensor) or lr.device.type == "cpu":
        _check_lr(lr)


def check_gradient(parameter: Tensor, gradient: Tensor) -> None:
    """Check that a gradient is dense.

    Raises:
        RuntimeError: It is sparse.
    """
    if gradient.layout != torch.strided:
        raise RuntimeError(
            f"AlphaAdam: a gradient of layout {gradient.layout} (parameter of shape {tuple(parameter.shape)}) is not "
            "supported, since masking needs every coordinate. Make it dense: build torch.nn.Embedding with "
            "sparse=False, or call parameter.grad = parameter.grad.to_dense()."
        )


def check_dtype(parameter: Tensor) -> None:
    """Check that a parameter's dtype is one to compute in.

    Raises:
        RuntimeError: It is one of the float8 types, for which PyTorch has no arithmetic.
    """
    if parameter.dtype.itemsize == 1:
        raise RuntimeError(
            f"AlphaAdam: a parameter of shape {tuple(parameter.shape)} is {parameter.dtype}, in which PyTorch cannot "
            "compute. Train it in bfloat16 or float32 and convert a copy of it."
        )


def _check_lr(lr: float | Tensor) -> None:
    if isinstance(lr, Tensor) and lr.device.type == "meta":
        return
    checks.check_nonnegative("lr", lr.item() if isinstance(lr, Tensor) and lr.numel() == 1 else lr, "1e-3")


def _check_keys(group: dict[str, Any]) -> None:
    for key in group.keys() - _KEYS:
        close = [_OTHER_NAMES[key]] if key in _OTHER_NAMES else difflib.get_close_matches(str(key), _KEYS, 1, 0.8)
        if close:
            raise ValueError(
                f"AlphaAdam: a parameter group has the key {key!r}, which AlphaAdam would ignore. Did you mean "
                f"{close[0]!r}?"
            )
