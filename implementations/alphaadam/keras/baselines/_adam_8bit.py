"""8-bit Adam: AdamW whose moments are kept in 8 bits."""

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import Baseline, Slot, check_patterns, moments
from alphaadam.keras.baselines._blockwise import block_count, dequantized, quantized

__all__ = ["Adam8bit"]


@keras.saving.register_keras_serializable(package="alphaadam")
class Adam8bit(Baseline):
    r"""AdamW whose moments are kept in 8 bits: 2.03 bytes per parameter instead of 8.

    .. math::
        m_t = \beta_1 M_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    :math:`M_t` and :math:`V_t` are what comes back of :math:`m_t` and :math:`v_t` from dynamic quantisation: of each
    block the largest absolute value is kept in float32, and of each element one of 256 values, relative to it. They
    reach down to 5.5e-7 and 3.3e-7 times the largest one.

    It takes every variable. One with fewer than ``min_8bit_size`` elements keeps its moments as AdamW does, and so does
    one that ``exclude_layers`` names, as the authors have it for embeddings: a row that was not seen for long has a
    second moment that comes back as 0 beside those of others.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        min_8bit_size: Least number of elements of a variable whose moments are quantised, a whole number >= 0.
        block_size: Number of elements of a block, in row-major order, a whole number >= 1.
        exclude_layers: Regular expressions; a variable whose path fits one is not quantised.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Dettmers et al. (2021), https://arxiv.org/abs/2110.02861; blocks of 256 as in their library, bitsandbytes.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import Adam8bit
        >>> variable = keras.Variable(keras.ops.ones((64, 64)))
        >>> optimizer = Adam8bit(learning_rate=0.1, weight_decay=0.0)
        >>> optimizer.apply([2 * keras.ops.ones((64, 64))], [variable])
        >>> print(variable.numpy()[0, :2].round(4), optimizer.variables[2].dtype)
        [0.9 0.9] uint8
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "min_8bit_size", "block_size", "exclude_layers")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        min_8bit_size: int = 4096,
        block_size: int = 256,
        exclude_layers: list[str] | None = None,
        name: str = "adam_8bit",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "Adam8bit")
        checks.check_beta("beta_2", beta_2, "0.999", "Adam8bit")
        checks.check_nonnegative("epsilon", epsilon, "1e-8", "Adam8bit")
        checks.check_count("min_8bit_size", min_8bit_size, "4096", "Adam8bit", least=0)
        checks.check_count("block_size", block_size, "256", "Adam8bit")
        check_patterns("exclude_layers", exclude_layers, "Adam8bit")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.min_8bit_size = min_8bit_size
        self.block_size = block_size
        self.exclude_layers = list(exclude_layers or [])

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        shape = tuple(variable.shape)
        size = math.prod(shape)
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        if excluded or size < self.min_8bit_size:
            return moments(variable)
        largest = Slot((block_count(size, self.block_size),), compute_dtype(variable))
        return {
            "momentum": Slot(shape, "uint8", keras.initializers.Constant(SIGNED.zero)),
            "momentum_absmax": largest,
            "velocity": Slot(shape, "uint8", keras.initializers.Constant(UNSIGNED.zero)),
            "velocity_absmax": largest,
        }

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        t, m, v = ops.cast(step, theta.dtype), slots["momentum"], slots["velocity"]
        in_8_bits = "momentum_absmax" in slots
        if in_8_bits:
            m = dequantized(m, slots["momentum_absmax"], SIGNED, self.block_size)
            v = dequantized(v, slots["velocity_absmax"], UNSIGNED, self.block_size)
        m = self.beta_1 * m + (1 - self.beta_1) * gradient
        v = self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient)
        root = ops.sqrt(v / bias_correction(self.beta_2, t)) + self.epsilon
        move = -rate * (m / bias_correction(self.beta_1, t)) / root
        if not in_8_bits:
            return move, {"momentum": m, "velocity": v}
        m, m_absmax = quantized(m, SIGNED, self.block_size)
        v, v_absmax = quantized(v, UNSIGNED, self.block_size)
        return move, {"momentum": m, "momentum_absmax": m_absmax, "velocity": v, "velocity_absmax": v_absmax}
