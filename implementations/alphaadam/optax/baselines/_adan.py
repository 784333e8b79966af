"""Adan: Adam with Nesterov's momentum, from the differences of successive gradients."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline

__all__ = ["adan"]


class _Rule:
    def __init__(self, b1: Number, b2: Number, b3: Number, eps: Number, proximal: bool) -> None:
        self.b1, self.b2, self.b3, self.eps = b1, b2, b3, eps
        self.proximal = self.decays_last = proximal

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        return {key: jnp.zeros_like(theta) for key in ("mu", "difference", "nu", "previous")}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        b1, b2, b3 = self.b1, self.b2, self.b3
        difference = jnp.where(count == 1, 0, gradient - slots["previous"])
        mu = b1 * slots["mu"] + (1 - b1) * gradient
        v = b2 * slots["difference"] + (1 - b2) * difference
        nu = b3 * slots["nu"] + (1 - b3) * jnp.square(gradient + b2 * difference)
        correction1, correction2, correction3 = (bias_correction(b, count, theta.dtype) for b in (b1, b2, b3))
        direction = mu / correction1 + b2 * (v / correction2)
        move = -rate * direction / (jnp.sqrt(nu / correction3) + self.eps)
        return move, {"mu": mu, "difference": v, "nu": nu, "previous": gradient}


def adan(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.98,
    b2: Number = 0.92,
    b3: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    no_prox: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam whose momentum and second moment look ahead along the differences of successive gradients.

    .. math::
        \delta_t = g_t - g_{t-1} \text{, 0 at the first step}, \qquad
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) \delta_t, \\
        n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 \delta_t)^2, \\
        \theta_t = \frac{1}{1 + \eta\lambda} \left(\theta_{t-1} - \eta\,
            \frac{m_t / (1 - \beta_1^t) + \beta_2 v_t / (1 - \beta_2^t)}{\sqrt{n_t / (1 - \beta_3^t)} + \epsilon}\right)

    It takes every leaf, and keeps three averages and the last gradient of each. The decay rates are what is kept of an
    average, as in the authors' code, whose bias corrections these are; the paper's rates are 1 minus them. A leaf whose
    first gradient comes later has a difference from 0 then. The authors' code may also clip gradients by their global
    norm: here ``optax.clip_by_global_norm`` does. Optax' own ``adan`` weighs the differences by ``1 - b2``, where these
    equations have ``b2``.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the average of gradients, in [0, 1).
        b2: Decay rate of the average of their differences, in [0, 1).
        b3: Decay rate of the average of squares, in [0, 1).
        eps: Added to the root of the average of squares after bias correction; finite and >= 0.
        weight_decay: Weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        no_prox: Decay as AdamW does, by ``1 - learning_rate * weight_decay`` before the step, instead of dividing by
            ``1 + learning_rate * weight_decay`` after it.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Xie, Zhou, Li, Lin and Yan (2022), https://arxiv.org/abs/2208.06677, Algorithm 1; their code,
    https://github.com/sail-sg/Adan.

    Example:
        >>> import jax.numpy as jnp, numpy as np, optax
        >>> from alphaadam.optax.baselines import adan
        >>> params, optimizer = jnp.array([1.0, -2.0]), adan(0.1)
        >>> state = optimizer.init(params)
        >>> for _ in range(2):
        ...     updates, state = optimizer.update(2 * params, state, params)
        ...     params = optax.apply_updates(params, updates)
        >>> print(np.asarray(params).round(4))
        [ 0.8008 -1.8002]
    """
    b1 = checks.check_beta("b1", b1, "0.98", "adan")
    b2 = checks.check_beta("b2", b2, "0.92", "adan")
    b3 = checks.check_beta("b3", b3, "0.99", "adan")
    eps = checks.check_nonnegative("eps", eps, "1e-8", "adan")
    hyperparameters.check_flag("no_prox", no_prox, "adan")
    rule = _Rule(b1, b2, b3, eps, not no_prox)
    return baseline("adan", lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)
