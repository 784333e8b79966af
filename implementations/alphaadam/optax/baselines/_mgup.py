"""MGUP: AdamW with a longer step where update and gradient agree, and a shorter one elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline
from alphaadam.optax.baselines._counting import element_at

__all__ = ["mgup"]


class _Rule:
    def __init__(self, b1: Number, b2: Number, eps: Number, tau: float | None, alpha: Number, gamma: Number) -> None:
        self.b1, self.b2, self.eps = b1, b2, eps
        self.tau, self.alpha, self.gamma = tau, alpha, gamma

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        return {"mu": jnp.zeros_like(theta), "nu": jnp.zeros_like(theta)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        nu = self.b2 * slots["nu"] + (1 - self.b2) * jnp.square(gradient)
        correction1, correction2 = (bias_correction(b, count, theta.dtype) for b in (self.b1, self.b2))
        u = mu / (jnp.sqrt(nu) + self.eps)
        if self.tau is None:
            selected = jnp.sign(mu) * jnp.sign(gradient) >= 0  # not of the product, which underflows
        else:
            selected = _largest(u * gradient, int(self.tau * theta.size))
        move = -rate * jnp.sqrt(correction2) / correction1 * jnp.where(selected, self.alpha * u, self.gamma * u)
        return move, {"mu": mu, "nu": nu}


def _largest(values: jax.Array, k: int) -> jax.Array:
    """Which elements are the ``k`` largest; of equal ones the first in row-major order."""
    if not 0 < k < values.size:
        return jnp.full(values.shape, k > 0)
    keys = _ordered(values.ravel())
    threshold = element_at(keys.size - k, keys, signed=True)
    above, equal = keys > threshold, keys == threshold
    rest = k - jnp.sum(above, dtype=jnp.int32)
    first = jax.lax.cond(
        jnp.sum(equal, dtype=jnp.int32) > rest,
        lambda: equal & (jnp.cumsum(equal, dtype=jnp.int32) <= rest),
        lambda: equal,
    )
    return (above | first).reshape(values.shape)


def _ordered(values: jax.Array) -> jax.Array:
    """Integers in the order of floating-point numbers, both zeros the same."""
    integer = jnp.dtype(f"int{values.dtype.itemsize * 8}")
    pattern = jax.lax.bitcast_convert_type(jnp.where(values == 0, 0, values), integer)
    return jnp.where(pattern < 0, pattern ^ jnp.iinfo(integer).max, pattern)


def mgup(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    tau: float | None = 0.5,
    alpha: Number = 2.0,
    gamma: Number = 0.1,
) -> optax.GradientTransformationExtraArgs:
    r"""AdamW whose step is longer at the coordinates where update and gradient agree most.

    .. math::
        u_t = \frac{m_t}{\sqrt{v_t} + \epsilon}, \qquad
        \phi_{t,i} = \begin{cases} \alpha & u_{t,i}\, g_{t,i} \text{ is among the } \lfloor \tau n \rfloor
            \text{ largest of the leaf's } n \\ \gamma & \text{otherwise} \end{cases} \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\, \phi_t \odot u_t

    It takes every leaf. ``tau=None`` is the variant without selection: :math:`\gamma` where the signs of :math:`m_t`
    and :math:`g_t` are opposite, :math:`\alpha` elsewhere, also where the gradient is 0.

    Exactly :math:`\lfloor \tau n \rfloor` coordinates are selected; of those that agree equally, the first in
    row-major order. A leaf of fewer than :math:`1 / \tau` elements always gets :math:`\gamma`. Selecting takes time
    linear in the size of a leaf, and sorts nothing.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        tau: The part of a leaf's coordinates that is selected, in (0, 1]; None to go by signs.
        alpha: Factor of the selected coordinates, finite and > 0.
        gamma: Factor of the others, finite and >= 0.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``tau``, or a parameter is not
            floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Chang and Yuan (2025), https://arxiv.org/abs/2606.17526; the defaults are those of its code.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import mgup
        >>> params, optimizer = jnp.array([1.0, -2.0]), mgup(0.5)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates).round(4))
        [ 0.95 -1.  ]
    """
    checks.check_static("mgup", tau=tau)
    b1 = checks.check_beta("b1", b1, "0.9", "mgup")
    b2 = checks.check_beta("b2", b2, "0.999", "mgup")
    eps = checks.check_nonnegative("eps", eps, "1e-6", "mgup")
    if tau is not None:
        hyperparameters.check_fraction("tau", tau, "0.5", "mgup")
    alpha = checks.check_positive("alpha", alpha, "2.0", "mgup")
    gamma = checks.check_nonnegative("gamma", gamma, "0.1", "mgup")
    rule = _Rule(b1, b2, eps, tau, alpha, gamma)
    return baseline("mgup", lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)
