"""1-bit Adam: Adam with a momentum compressed to signs once its second moment has settled."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction as correction
from alphaadam.keras.baselines._baseline import Baseline, Slot, moments

__all__ = ["OneBitAdam"]


@keras.saving.register_keras_serializable(package="alphaadam")
class OneBitAdam(Baseline):
    r"""Adam up to a step, and from then on with a fixed second moment and a momentum compressed to signs.

    Up to step :math:`T` (``freeze_step``) both moments are Adam's. Afterwards :math:`v` stays as it is, and the
    momentum is its signs and one scale; what that loses is added to the momentum of the next step:

    .. math::
        c &= \beta_1 m_{t-1} + (1 - \beta_1) g + \delta, & m_t &= C(c), & \delta &\leftarrow c - m_t, \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \frac{m_t}{\sqrt{v_T} + \epsilon}, &
            C(c) &= \pm \frac{\lVert c \rVert_2}{\sqrt n}

    It takes every variable. A coordinate that had no gradient up to step :math:`T` does not move afterwards: one bit
    cannot say 0.

    This is the rule for one worker: it shows what the compression does to training, but saves no communication. Keras
    averages the gradients of all replicas before it hands them to an optimizer, so there are no gradients of single
    workers to compress. For several workers see the same rule in ``alphaadam.torch`` and ``alphaadam.optax``.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        freeze_step: Number of steps of Adam before the second moment is frozen, >= 1; the paper takes about 15 to 20 %
            of the training. Less than ``1 / (1 - beta_2)`` needs ``bias_correction``, or all later steps are long.
        bias_correction: Divide the moments by :math:`1 - \beta^t` as AdamW does, the second by that of step
            :math:`T` after it. The paper does not.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Tang et al. (2021), https://arxiv.org/abs/2102.02888, algorithm 1.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import OneBitAdam
        >>> variable = keras.Variable([1.0, -2.0])
        >>> optimizer = OneBitAdam(learning_rate=0.1, freeze_step=1, bias_correction=True)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * variable], [variable])
        >>> print(variable.numpy().round(4))
        [ 0.7469 -1.8234]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "freeze_step", "bias_correction")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        freeze_step: int = 1000,
        bias_correction: bool = False,
        name: str = "one_bit_adam",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "OneBitAdam")
        checks.check_beta("beta_2", beta_2, "0.999", "OneBitAdam")
        checks.check_positive("epsilon", epsilon, "1e-8", "OneBitAdam")
        checks.check_count("freeze_step", freeze_step, "1000", "OneBitAdam")
        checks.check_flag("bias_correction", bias_correction, "OneBitAdam")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.freeze_step = freeze_step
        self.bias_correction = bias_correction

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        both = moments(variable)
        return {**both, "error": both["momentum"]}

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        v, error = slots["velocity"], slots["error"]
        m, v, error = ops.cond(
            step <= self.freeze_step,
            lambda: (m, self.beta_2 * v + (1 - self.beta_2) * ops.square(gradient), error),
            lambda: _compressed(m, v, error),
        )
        direction, root = m, ops.sqrt(v)
        if self.bias_correction:
            last = ops.minimum(step, self.freeze_step)
            direction = m / correction(self.beta_1, ops.cast(step, theta.dtype))
            root = ops.sqrt(v / correction(self.beta_2, ops.cast(last, theta.dtype)))
        return -rate * direction / (root + self.epsilon), {"momentum": m, "velocity": v, "error": error}


def _compressed(m: Any, v: Any, error: Any) -> tuple[Any, Any, Any]:
    """The moments and the error after the momentum ``m`` has been compressed."""
    value = m + error
    # Not ops.mean, which PyTorch's backend computes in float32 for float64, too.
    scale = ops.sqrt(ops.sum(ops.square(value)) / max(1, math.prod(value.shape)))
    sent = ops.where(value >= 0, scale, -scale)
    # sent - sent is 0, or NaN: where there is no second moment nothing moves.
    return ops.where(v == 0, sent - sent, sent), v, value - sent
