"""Adan: Adam with Nesterov's momentum, from the differences of successive gradients."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import Baseline, Slot

__all__ = ["Adan"]


@keras.saving.register_keras_serializable(package="alphaadam")
class Adan(Baseline):
    r"""Adam whose momentum and second moment look ahead along the differences of successive gradients.

    .. math::
        \delta_t = g_t - g_{t-1} \text{, 0 at the first step}, \qquad
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) \delta_t, \\
        n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 \delta_t)^2, \\
        \theta_t = \frac{1}{1 + \eta\lambda} \left(\theta_{t-1} - \eta\,
            \frac{m_t / (1 - \beta_1^t) + \beta_2 v_t / (1 - \beta_2^t)}{\sqrt{n_t / (1 - \beta_3^t)} + \epsilon}\right)

    It takes every variable, and keeps three averages and the last gradient of each. The decay rates are what is kept
    of an average, as in the authors' code, whose bias corrections these are; the paper's rates are 1 minus them. A
    variable whose first gradient comes later has a difference from 0 then. The authors' code may also clip gradients
    by their global norm: here ``global_clipnorm`` does.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the average of gradients, in [0, 1).
        beta_2: Decay rate of the average of their differences, in [0, 1).
        beta_3: Decay rate of the average of squares, in [0, 1).
        epsilon: Added to the root of the average of squares after bias correction; finite and >= 0.
        weight_decay: Weight decay, finite and >= 0.
        no_prox: Decay as AdamW does, by ``1 - learning_rate * weight_decay`` before the step, instead of dividing by
            ``1 + learning_rate * weight_decay`` after it.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Xie, Zhou, Li, Lin and Yan (2022), https://arxiv.org/abs/2208.06677, Algorithm 1; their code,
    https://github.com/sail-sg/Adan.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import Adan
        >>> variable, optimizer = keras.Variable([1.0, -2.0]), Adan(learning_rate=0.1)
        >>> for _ in range(2):
        ...     optimizer.apply([2 * variable], [variable])
        >>> print(variable.numpy().round(4))
        [ 0.8008 -1.8002]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "beta_3", "epsilon", "no_prox")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        no_prox: bool = False,
        name: str = "adan",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.98", "Adan")
        checks.check_beta("beta_2", beta_2, "0.92", "Adan")
        checks.check_beta("beta_3", beta_3, "0.99", "Adan")
        checks.check_nonnegative("epsilon", epsilon, "1e-8", "Adan")
        checks.check_flag("no_prox", no_prox, "Adan")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.epsilon = epsilon
        self.no_prox = no_prox

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        slot = Slot(tuple(variable.shape), compute_dtype(variable))
        return dict.fromkeys(("momentum", "difference", "velocity", "previous"), slot)

    def _decays_last(self, variable: Any) -> bool:
        return not self.no_prox

    def _decayed_part(self, decay: Any) -> Any:
        return decay if self.no_prox else decay / (1 + decay)  # divides by 1 + decay

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        t, beta_2 = ops.cast(step, theta.dtype), self.beta_2
        difference = ops.where(ops.equal(step, 1), ops.zeros_like(gradient), gradient - slots["previous"])
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        v = beta_2 * slots["difference"] + (1 - beta_2) * difference
        n = self.beta_3 * slots["velocity"] + (1 - self.beta_3) * ops.square(gradient + beta_2 * difference)
        direction = m / bias_correction(self.beta_1, t) + beta_2 * (v / bias_correction(beta_2, t))
        root = ops.sqrt(n / bias_correction(self.beta_3, t)) + self.epsilon
        return -rate * direction / root, {"momentum": m, "difference": v, "velocity": n, "previous": gradient}
