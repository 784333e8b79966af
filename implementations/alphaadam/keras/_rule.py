"""AlphaAdam's rule for one variable in ``keras.ops``, written to be read, and for where no backend has a better one."""

import math
from typing import Any, NamedTuple

from keras import backend, ops

from alphaadam import _hyperparameters as checks

__all__ = [
    "Hyperparameters",
    "Updated",
    "bias_correction",
    "compute_dtype",
    "decide_mask",
    "decide_strength",
    "update_tensor",
]


class Hyperparameters(NamedTuple):
    """What all variables of an optimizer share, as Python values that a compiled step may fold."""

    beta_1: float
    beta_2: float
    epsilon: float
    masking: str
    alpha: str | float
    alpha_max: float | None


class Updated(NamedTuple):
    """New values of one variable and its moments, each of its own dtype, and what the step decided."""

    variable: Any
    momentum: Any
    velocity: Any
    alpha: Any
    mask: Any


def update_tensor(
    variable: Any,
    gradient: Any,
    momentum: Any,
    velocity: Any,
    step: Any,
    learning_rate: Any,
    weight_decay: float,
    rule: Hyperparameters,
) -> Updated:
    """Compute one step of one variable; nothing is assigned.

    Args:
        variable: The variable or its value.
        gradient: Its gradient, dense.
        momentum: The first moment before this step.
        velocity: The second moment before this step.
        step: The number of this step, counted from 1; a scalar.
        learning_rate: Of this step; a scalar.
        weight_decay: Of this variable.
        rule: What all variables share.
    """
    dtype = compute_dtype(variable)
    g = ops.cast(gradient, dtype)
    lr = ops.cast(learning_rate, dtype)
    t = ops.cast(step, dtype)

    old_m = ops.cast(momentum, dtype)
    new_m = ops.cast(rule.beta_1 * old_m + (1 - rule.beta_1) * g, momentum.dtype)
    new_v = ops.cast(
        rule.beta_2 * ops.cast(velocity, dtype) + (1 - rule.beta_2) * ops.square(g),
        velocity.dtype,
    )
    # What follows sees the moments as they are stored.
    m, v = ops.cast(new_m, dtype), ops.cast(new_v, dtype)
    u = (m / bias_correction(rule.beta_1, t)) / (ops.sqrt(v / bias_correction(rule.beta_2, t)) + rule.epsilon)
    mask = decide_mask(rule.masking, old_m, m, g)
    alpha = decide_strength(rule.masking, rule.alpha, rule.alpha_max, mask, u)
    # The IEEE product of mask and u, which keeps a NaN loud where the mask is 0: u - u is 0, or NaN. XLA would turn
    # a multiplication by the mask into a selection that hides it.
    masked_u = ops.where(mask, u, u - u)

    theta = ops.cast(variable, dtype)
    if weight_decay:
        theta = theta * (1 - lr * weight_decay)
    return Updated(ops.cast(theta - lr * alpha * masked_u, variable.dtype), new_m, new_v, alpha, mask)


def decide_mask(masking: str, old_m: Any, m: Any, g: Any) -> Any:
    """The mask, decided from signs: the float product of two small numbers underflows to 0 where its sign is +."""
    if masking == "none":
        return ops.ones(ops.shape(g), dtype="bool")
    if masking == "sync":
        return ops.sign(m) * ops.sign(g) > 0
    return ops.logical_or(old_m == 0, ops.sign(old_m) * ops.sign(g) > 0)


def decide_strength(masking: str, alpha: str | float, alpha_max: float | None, mask: Any, u: Any) -> Any:
    """Alpha as a scalar of the compute dtype."""
    size = math.prod(u.shape)
    if not isinstance(alpha, str):
        return ops.cast(alpha, u.dtype)
    one = ops.ones((), dtype=u.dtype)
    if masking == "none" or size == 0:
        return one
    if alpha == "count":
        # Counted in integers: float32 cannot count past 2^24.
        ratio = size / ops.cast(ops.sum(ops.cast(mask, "int32")), u.dtype)
    else:
        # ||u|| / ||A*u|| from the squares that the mask keeps and drops: exactly 1 if it drops none, never less.
        # Every backend sums as a tree. The squares underflow where |u| is below about 1e-19; alpha is then 1.
        squares = ops.square(u)
        zero = ops.zeros((), dtype=u.dtype)
        kept = ops.sum(ops.where(mask, squares, zero))
        dropped = ops.sum(ops.where(mask, zero, squares))
        ratio = ops.where(kept + dropped == 0, one, ops.sqrt(1 + dropped / kept))
    cap = ops.cast(checks.alpha_cap(alpha, alpha_max), u.dtype)
    # Not ops.minimum, which returns float32 for float64 on the PyTorch backend. A NaN is above no cap and stays.
    return ops.where(ratio > cap, cap, ratio)


def bias_correction(beta: float, step: Any) -> Any:
    """``1 - beta**step`` without the cancellation that costs float32 a hundred ulp at the first steps."""
    return -ops.expm1(step * (math.log(beta) if beta > 0 else -math.inf))


def compute_dtype(variable: Any) -> str:
    """The dtype of the arithmetic: at least float32."""
    dtype: str = backend.standardize_dtype(variable.dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype
