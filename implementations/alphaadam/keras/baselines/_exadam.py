"""EXAdam: Adam whose two corrections also look at the other moment."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction
from alphaadam.keras.baselines._baseline import Baseline, Slot, moments

__all__ = ["EXAdam"]


@keras.saving.register_keras_serializable(package="alphaadam")
class EXAdam(Baseline):
    r"""Adam with the gradient added to the first moment, and bias corrections that depend on both moments.

    .. math::
        d_1 = 1 + \frac{v_t}{v_t + \epsilon} \beta_2^t, \qquad d_2 = 1 + \frac{m_t^2}{m_t^2 + \epsilon} \beta_1^t, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{(m_t + g_t)\, d_1 / (1 - \beta_1^t)}{\sqrt{v_t\, d_2 / (1 - \beta_2^t)} + \epsilon}

    It takes every variable. This is the rule of the paper's second version; its first one also multiplied the learning
    rate by :math:`\ln(\sqrt 2 \sqrt{t + 1})`, which ``dynamic_step_size`` brings back.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, and to the denominators of the corrections; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        dynamic_step_size: Multiply the learning rate by ``log(sqrt(2) * sqrt(t + 1))``, as the first version did.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Adly (2024), https://arxiv.org/abs/2412.20302.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import EXAdam
        >>> variable = keras.Variable([1.0, -2.0])
        >>> EXAdam(learning_rate=0.1).apply([keras.ops.array([2.0, -4.0])], [variable])
        >>> print(variable.numpy().round(4))
        [-0.5952 -0.4048]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "dynamic_step_size")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        dynamic_step_size: bool = False,
        name: str = "exadam",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "EXAdam")
        checks.check_beta("beta_2", beta_2, "0.999", "EXAdam")
        checks.check_positive("epsilon", epsilon, "1e-8", "EXAdam")
        checks.check_flag("dynamic_step_size", dynamic_step_size, "EXAdam")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.dynamic_step_size = dynamic_step_size

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        return moments(variable)

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        t, epsilon = ops.cast(step, theta.dtype), self.epsilon
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * slots["velocity"] + (1 - self.beta_2) * ops.square(gradient)
        correction_1, correction_2 = bias_correction(self.beta_1, t), bias_correction(self.beta_2, t)
        first = 1 + v / (v + epsilon) * (1 - correction_2)
        second = 1 + m * m / (m * m + epsilon) * (1 - correction_1)
        if self.dynamic_step_size:
            rate = rate * 0.5 * ops.log(2 * (t + 1))
        move = -rate * ((m + gradient) / correction_1 * first) / (ops.sqrt(v / correction_2 * second) + epsilon)
        return move, {"momentum": m, "velocity": v}
