"""EXAdam: Adam whose two corrections also look at the other moment."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline

__all__ = ["exadam"]


class _Rule:
    def __init__(self, b1: Number, b2: Number, eps: Number, dynamic_step_size: bool) -> None:
        self.b1, self.b2, self.eps, self.dynamic_step_size = b1, b2, eps, dynamic_step_size

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        return {"mu": jnp.zeros_like(theta), "nu": jnp.zeros_like(theta)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        b1, b2, eps = self.b1, self.b2, self.eps
        mu = b1 * slots["mu"] + (1 - b1) * gradient
        square = jnp.square(gradient)
        nu = b2 * slots["nu"] + (1 - b2) * square
        correction1, correction2 = (bias_correction(b, count, theta.dtype) for b in (b1, b2))
        first = 1 + nu / (nu + eps) * (1 - correction2)
        second = 1 + mu * mu / (mu * mu + eps) * (1 - correction1)
        if self.dynamic_step_size:
            rate = rate * 0.5 * jnp.log(2 * (count.astype(theta.dtype) + 1))
        move = -rate * ((mu + gradient) / correction1 * first) / (jnp.sqrt(nu / correction2 * second) + eps)
        return move, {"mu": mu, "nu": nu}


def exadam(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    dynamic_step_size: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam with the gradient added to the first moment, and bias corrections that depend on both moments.

    .. math::
        d_1 = 1 + \frac{v_t}{v_t + \epsilon} \beta_2^t, \qquad d_2 = 1 + \frac{m_t^2}{m_t^2 + \epsilon} \beta_1^t, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{(m_t + g_t)\, d_1 / (1 - \beta_1^t)}{\sqrt{v_t\, d_2 / (1 - \beta_2^t)} + \epsilon}

    It takes every leaf. This is the rule of the paper's second version; its first one also multiplied the learning
    rate by :math:`\ln(\sqrt 2 \sqrt{t + 1})`, which ``dynamic_step_size`` brings back.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment, and to the denominators of the corrections; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        dynamic_step_size: Multiply the learning rate by ``log(sqrt(2) * sqrt(t + 1))``, as the first version did.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Adly (2024), https://arxiv.org/abs/2412.20302.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import exadam
        >>> params, optimizer = jnp.array([1.0, -2.0]), exadam(0.1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates).round(4))
        [-0.5952 -0.4048]
    """
    b1 = checks.check_beta("b1", b1, "0.9", "exadam")
    b2 = checks.check_beta("b2", b2, "0.999", "exadam")
    eps = checks.check_positive("eps", eps, "1e-8", "exadam")
    hyperparameters.check_flag("dynamic_step_size", dynamic_step_size, "exadam")
    rule = _Rule(b1, b2, eps, dynamic_step_size)
    return baseline("exadam", lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)
