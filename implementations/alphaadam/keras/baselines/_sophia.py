"""Sophia: the moment divided by an estimate of the Hessian's diagonal, and clipped."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras import _inputs
from alphaadam.keras._rule import compute_dtype
from alphaadam.keras.baselines._baseline import Baseline, Slot

__all__ = ["Sophia"]


@keras.saving.register_keras_serializable(package="alphaadam")
class Sophia(Baseline):
    r"""The moment divided by an estimate of the Hessian's diagonal, each coordinate clipped to the learning rate.

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
        h_t = \beta_2 h_{t-k} + (1 - \beta_2)\, \hat h_t \text{ in every } k\text{-th step}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \mathrm{clip}\!\left(\frac{m_t}{\max(\gamma h_t, \epsilon)}, -1, 1\right)

    It takes every variable. :meth:`update_hessian`, or on JAX :meth:`stateless_update_hessian`, is given the estimates,
    before the step that they first count in: those of :func:`hutchinson` or :func:`gauss_newton_bartlett`, every 10
    steps in the paper, beginning with the first. In ``fit`` that is done by a ``train_step`` of the model. Until then,
    and where the curvature is negative, the step is the learning rate times the sign of the moment.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the moment, in [0, 1).
        beta_2: Decay rate of the average of the estimates, in [0, 1).
        gamma: Factor of that average, finite and > 0: the larger, the fewer coordinates are clipped. In the paper 0.01
            for :func:`hutchinson` and 0.05 for :func:`gauss_newton_bartlett`, and in general such that one to five in
            ten coordinates are not clipped.
        epsilon: Least denominator, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import Sophia
        >>> variable = keras.Variable([1.0, -2.0])
        >>> optimizer = Sophia(learning_rate=0.5, gamma=20.0)
        >>> optimizer.build([variable])
        >>> optimizer.update_hessian([keras.ops.array([2.0, 0.0])])
        >>> optimizer.apply([keras.ops.array([2.0, -4.0])], [variable])
        >>> print(variable.numpy().round(4))
        [ 0.9 -1.5]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "gamma", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 1e-4,
        beta_1: float = 0.96,
        beta_2: float = 0.99,
        gamma: float = 0.05,
        epsilon: float = 1e-12,
        weight_decay: float = 0.0,
        name: str = "sophia",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.96", "Sophia")
        checks.check_beta("beta_2", beta_2, "0.99", "Sophia")
        checks.check_positive("gamma", gamma, "0.05", "Sophia")
        checks.check_positive("epsilon", epsilon, "1e-12", "Sophia")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.gamma = gamma
        self.epsilon = epsilon

    def update_hessian(self, estimates: Sequence[Any]) -> None:
        """Take estimates of the Hessian's diagonal into their average.

        Args:
            estimates: One for each variable that the optimizer was built with, in their order; None where there is
                none, and the average stays.

        Raises:
            RuntimeError: The optimizer was not built yet.
            ValueError: There are more or fewer estimates than variables, or one has another shape than its variable.
        """
        if not self.built:
            raise RuntimeError(
                "Sophia: the optimizer has no variables yet. Call build(model.trainable_variables) before the first "
                "estimates."
            )
        variables = self._trainable_variables
        if len(estimates) != len(variables):
            raise ValueError(
                f"Sophia: {len(estimates)} estimates for {len(variables)} variables. Pass one estimate for each "
                "variable that the optimizer was built with, and None where there is none."
            )
        for estimate, variable, kept in zip(estimates, variables, self._kept, strict=True):
            if estimate is None:
                continue
            if tuple(estimate.shape) != tuple(variable.shape):
                raise ValueError(
                    f"Sophia: an estimate of shape {tuple(estimate.shape)} for the variable "
                    f"{_inputs.path_of(variable)!r} of shape {tuple(variable.shape)}. Pass the estimates in the order "
                    "of the variables."
                )
            average = kept["hessian"]
            estimate = ops.cast(estimate, average.dtype)
            average.assign(self.beta_2 * ops.convert_to_tensor(average) + (1 - self.beta_2) * estimate)

    def stateless_update_hessian(self, optimizer_variables: Sequence[Any], estimates: Sequence[Any]) -> list[Any]:
        """Return the optimizer's own variables with estimates taken in, as ``stateless_apply`` does with gradients.

        Args:
            optimizer_variables: Values of ``optimizer.variables``.
            estimates: As in :meth:`update_hessian`.
        """
        with keras.StatelessScope(state_mapping=list(zip(self.variables, optimizer_variables, strict=True))) as scope:
            self.update_hessian(estimates)
        return [scope.get_current_value(variable) for variable in self.variables]

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        slot = Slot(tuple(variable.shape), compute_dtype(variable))
        return {"momentum": slot, "hessian": slot}

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        curvature = self.gamma * slots["hessian"]
        # Not ops.maximum and ops.clip, of which some backends return float32 for float64; a NaN is neither and stays.
        ratio = m / ops.where(curvature < self.epsilon, ops.full_like(curvature, self.epsilon), curvature)
        clipped = ops.where(ops.abs(ratio) > 1, ops.sign(ratio), ratio)
        return -rate * clipped, {"momentum": m}
