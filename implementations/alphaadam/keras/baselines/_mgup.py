"""MGUP: AdamW with a longer step where update and gradient agree, and a shorter one elsewhere."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction
from alphaadam.keras.baselines._baseline import Baseline, Slot, moments
from alphaadam.keras.baselines._counting import count, element_at

__all__ = ["MGUP"]


@keras.saving.register_keras_serializable(package="alphaadam")
class MGUP(Baseline):
    r"""AdamW whose step is longer at the coordinates where update and gradient agree most.

    .. math::
        u_t = \frac{m_t}{\sqrt{v_t} + \epsilon}, \qquad
        \phi_{t,i} = \begin{cases} \alpha & u_{t,i}\, g_{t,i} \text{ is among the } \lfloor \tau n \rfloor
            \text{ largest of the variable's } n \\ \gamma & \text{otherwise} \end{cases} \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\, \phi_t \odot u_t

    It takes every variable. ``tau=None`` is the variant without selection: :math:`\gamma` where the signs of
    :math:`m_t` and :math:`g_t` are opposite, :math:`\alpha` elsewhere, also where the gradient is 0.

    Exactly :math:`\lfloor \tau n \rfloor` coordinates are selected; of those that agree equally, the first in
    row-major order. A variable of fewer than :math:`1 / \tau` elements always gets :math:`\gamma`. Selecting takes
    time linear in the size of a variable, and sorts nothing; it needs ``keras.ops.view``, which old versions of Keras
    lack.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        tau: The part of a variable's coordinates that is selected, in (0, 1]; None to go by signs.
        alpha: Factor of the selected coordinates, finite and > 0.
        gamma: Factor of the others, finite and >= 0.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Chang and Yuan (2025), https://arxiv.org/abs/2606.17526; the defaults are those of its code.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import MGUP
        >>> variable = keras.Variable([1.0, -2.0])
        >>> MGUP(learning_rate=0.1).apply([keras.ops.array([2.0, -4.0])], [variable])
        >>> print(variable.numpy().round(4))
        [ 0.99 -1.8 ]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "tau", "alpha", "gamma")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
        tau: float | None = 0.5,
        alpha: float = 2.0,
        gamma: float = 0.1,
        name: str = "mgup",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "MGUP")
        checks.check_beta("beta_2", beta_2, "0.999", "MGUP")
        checks.check_nonnegative("epsilon", epsilon, "1e-6", "MGUP")
        if tau is not None:
            checks.check_fraction("tau", tau, "0.5", "MGUP")
        checks.check_positive("alpha", alpha, "2.0", "MGUP")
        checks.check_nonnegative("gamma", gamma, "0.1", "MGUP")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.tau = tau
        self.alpha = alpha
        self.gamma = gamma

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        return moments(variable)

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        t = ops.cast(step, theta.dtype)
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * slots["velocity"] + (1 - self.beta_2) * ops.square(gradient)
        u = m / (ops.sqrt(v) + self.epsilon)
        if self.tau is None:
            selected = ops.sign(m) * ops.sign(gradient) >= 0  # not of the product, which underflows
        else:
            selected = _largest(u * gradient, int(self.tau * math.prod(variable.shape)))
        rate = rate * ops.sqrt(bias_correction(self.beta_2, t)) / bias_correction(self.beta_1, t)
        return -rate * ops.where(selected, self.alpha * u, self.gamma * u), {"momentum": m, "velocity": v}


def _largest(values: Any, k: int) -> Any:
    """Which elements are the ``k`` largest; of equal ones the first in row-major order."""
    size = math.prod(values.shape)
    if not 0 < k < size:
        return ops.full(values.shape, k > 0, dtype="bool")
    keys = _ordered(ops.reshape(values, (-1,)))
    threshold = element_at(size - k, keys, signed=True)
    above, equal = keys > threshold, keys == threshold
    rest = k - count(above)
    ordinal = ops.cumsum(ops.cast(equal, "int32"))
    return ops.reshape(ops.logical_or(above, ops.logical_and(equal, ordinal <= rest)), values.shape)


def _ordered(values: Any) -> Any:
    """Integers in the order of floating-point numbers, both zeros the same."""
    dtype = keras.backend.standardize_dtype(values.dtype)
    integer = dtype.replace("float", "int")
    pattern = ops.view(ops.where(values == 0, ops.zeros_like(values), values), dtype=integer)
    return ops.where(pattern < 0, ops.bitwise_xor(pattern, np.iinfo(integer).max), pattern)
