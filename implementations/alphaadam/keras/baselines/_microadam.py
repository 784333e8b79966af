"""MicroAdam: Adam on the largest gradients of late, and four bits of what is left of each."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam import _microadam
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import Baseline, Slot

__all__ = ["MicroAdam"]


@keras.saving.register_keras_serializable(package="alphaadam")
class MicroAdam(Baseline):
    r"""Adam on the largest one percent of the last ten gradients, with feedback of the rest in four bits.

    .. math::
        a &= g_t + Q^{-1}(e_{t-1}), \qquad V_t = a \text{ where } |a| \text{ is largest, else } 0, \qquad
            e_t = Q(a - V_t) \\
        \hat m &= \frac{1 - \beta_1}{1 - \beta_1^t} \sum_{i=0}^{w-1} \beta_1^i V_{t-i}, \qquad
            \hat v = \frac{1 - \beta_2}{1 - \beta_2^t} \sum_{i=0}^{w-1} \beta_2^i V_{t-i}^2 \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)

    A tensor is cut into blocks of at most ``block_size`` elements. In each the part ``density`` is kept, as 16-bit
    places and bfloat16 values, and :math:`Q` rounds the others to 16 numbers, evenly from the block's smallest to its
    largest. That is about 0.9 bytes for each parameter with the defaults, where Adam has 8. It takes every variable.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        window: How many gradients are kept, >= 1.
        density: The part of each block that is kept, in (0, 1], rounded up to whole elements.
        block_size: The most elements of a block, from 1 to 32768.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Modoranu et al. (2024), https://arxiv.org/abs/2405.15593.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import MicroAdam
        >>> variable = keras.Variable([1.0, -2.0])
        >>> MicroAdam(learning_rate=0.1).apply([keras.ops.array([2.0, -4.0])], [variable])
        >>> print(variable.numpy().round(4))  # one element of two is more than one percent
        [ 1.  -1.9]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "window", "density", "block_size")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        window: int = 10,
        density: float = 0.01,
        block_size: int = 4096,
        name: str = "microadam",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "MicroAdam")
        checks.check_beta("beta_2", beta_2, "0.999", "MicroAdam")
        checks.check_positive("epsilon", epsilon, "1e-8", "MicroAdam")
        _microadam.check(window, density, block_size, "MicroAdam")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.window = window
        self.density = density
        self.block_size = block_size

    def _blocks(self, variable: Any) -> _microadam.Blocks:
        return _microadam.Blocks.of(math.prod(variable.shape), self.density, self.block_size)

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        blocks = self._blocks(variable)
        ring = (self.window, blocks.number, blocks.kept)
        return {
            "places": Slot(ring, "int16"),
            "values": Slot(ring, "bfloat16"),
            "codes": Slot((blocks.bytes,), "uint8"),
            "low": Slot((blocks.number, 1), compute_dtype(variable)),
            "spacing": Slot((blocks.number, 1), compute_dtype(variable)),
        }

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        blocks, size, dtype = self._blocks(variable), math.prod(variable.shape), theta.dtype
        error = ops.cast(_unpacked(slots["codes"], blocks), dtype) * slots["spacing"] + slots["low"]
        total = ops.reshape(error, (-1,))[:size] + ops.reshape(gradient, (-1,))
        total = ops.reshape(_padded(total, blocks.elements), (blocks.number, blocks.length))

        magnitude = ops.where(ops.isnan(total), math.inf, ops.abs(total))  # a NaN is kept, and shows
        latest = ops.cast(ops.top_k(magnitude, blocks.kept)[1], "int32")
        kept = ops.cast(ops.take_along_axis(total, latest, axis=1), "bfloat16")
        # The latest first. A variable that rests keeps what it has, which then counts as if no step had passed.
        places = ops.concatenate([ops.expand_dims(ops.cast(latest, "int16"), 0), slots["places"][:-1]])
        values = ops.concatenate([ops.expand_dims(kept, 0), slots["values"][:-1]])
        rest = _zeroed(total, latest, blocks)
        low, high = ops.min(rest, axis=1, keepdims=True), ops.max(rest, axis=1, keepdims=True)
        spacing = (high - low) / 15
        codes = ops.round((rest - low) / ops.where(spacing > 0, spacing, ops.ones_like(spacing)))

        t = ops.cast(step, dtype)
        m, v = self._sums(places, values, blocks, dtype)
        m = m * ((1 - self.beta_1) / bias_correction(self.beta_1, t))
        v = v * ((1 - self.beta_2) / bias_correction(self.beta_2, t))
        move = ops.reshape((-rate * m / (ops.sqrt(v) + self.epsilon))[:size], tuple(variable.shape))
        packed = _packed(ops.cast(codes, "uint8"), blocks)
        return move, {"places": places, "values": values, "codes": packed, "low": low, "spacing": spacing}

    def _sums(self, places: Any, values: Any, blocks: _microadam.Blocks, dtype: Any) -> tuple[Any, Any]:
        """Sums of the kept values and of their squares, by age; of all blocks in one row."""
        at = ops.reshape(ops.cast(places, "int32") + _starts(blocks), (-1,))
        x = ops.cast(values, dtype)
        ages = np.arange(self.window)[:, None, None]  # not lists of numbers, which the PyTorch backend takes as float32
        weights = [ops.convert_to_tensor(float(beta) ** ages, dtype=dtype) for beta in (self.beta_1, self.beta_2)]
        m, v = (ops.reshape(part, (-1,)) for part in (weights[0] * x, weights[1] * ops.square(x)))
        return _summed(m, at, blocks.elements), _summed(v, at, blocks.elements)


def _summed(x: Any, at: Any, length: int) -> Any:
    """Sums of what has the same place, in one row."""
    if keras.backend.backend() == "torch":
        return x.new_zeros(length).index_add_(0, at, x)  # ops.segment_sum adds in float32 there
    return ops.segment_sum(x, at, length)


def _starts(blocks: _microadam.Blocks) -> Any:
    """Where each block begins in one row of all, as a column."""
    return ops.expand_dims(ops.arange(blocks.number, dtype="int32") * blocks.length, 1)


def _zeroed(total: Any, places: Any, blocks: _microadam.Blocks) -> Any:
    at = ops.reshape(places + _starts(blocks), (-1, 1))
    zeros = ops.zeros((blocks.number * blocks.kept,), dtype=total.dtype)
    return ops.reshape(ops.scatter_update(ops.reshape(total, (-1,)), at, zeros), (blocks.number, blocks.length))


def _padded(row: Any, length: int) -> Any:
    missing = length - row.shape[0]
    return ops.pad(row, [[0, missing]]) if missing else row


def _packed(codes: Any, blocks: _microadam.Blocks) -> Any:
    """Two codes of four bits in each byte."""
    pairs = ops.reshape(_padded(ops.reshape(codes, (-1,)), 2 * blocks.bytes), (-1, 2))
    return ops.bitwise_or(pairs[:, 0], ops.left_shift(pairs[:, 1], 4))


def _unpacked(packed: Any, blocks: _microadam.Blocks) -> Any:
    pairs = ops.stack([ops.bitwise_and(packed, 15), ops.right_shift(packed, 4)], axis=1)
    return ops.reshape(ops.reshape(pairs, (-1,))[: blocks.elements], (blocks.number, blocks.length))
