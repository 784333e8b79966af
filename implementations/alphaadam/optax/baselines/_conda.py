"""Conda: Adam whose second moment lives in the basis of the momentum's singular vectors."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline, fallback, split_by
from alphaadam.optax.baselines._subspaces import is_due, is_wide, lift, project, singular_vectors

__all__ = ["conda"]


class _Rule:
    decays_last = True

    def __init__(self, b1: Number, b2: Number, eps: Number, update_proj_gap: int, scale: Number) -> None:
        self.b1, self.b2, self.eps = b1, b2, eps
        self.update_proj_gap, self.scale = update_proj_gap, scale

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        side = min(theta.shape)
        return {
            "mu": jnp.zeros_like(theta),
            "nu": jnp.zeros_like(theta),
            "basis": jnp.zeros((side, side), theta.dtype),
        }

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        wide = is_wide(theta.shape)
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        basis = jax.lax.cond(
            is_due(slots["basis"], mu, (count - 1) % self.update_proj_gap == 0),
            lambda: singular_vectors(mu, min(theta.shape)),
            lambda: slots["basis"],
        )
        nu = self.b2 * slots["nu"] + (1 - self.b2) * jnp.square(project(gradient, basis, wide))
        ratio = project(mu, basis, wide) / (jnp.sqrt(nu) + self.eps)
        correction1, correction2 = (bias_correction(b, count, theta.dtype) for b in (self.b1, self.b2))
        factor = rate * self.scale * jnp.sqrt(correction2) / correction1
        return -factor * lift(ratio, basis, wide), {"mu": mu, "nu": nu, "basis": basis}


def conda(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    matrices: Any | Callable[[optax.Params], Any] | None = None,
    update_proj_gap: int = 2000,
    scale: Number = 1.0,
    adamw_b1: Number = 0.9,
    adamw_b2: Number = 0.999,
    adamw_eps: Number = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    r"""Column-normalized Adam: Adam's ratio in the basis of the singular vectors of its first moment.

    For a matrix with fewer rows than columns, and :math:`P` the left singular vectors of :math:`m_t`, which are
    computed anew at the first step and every ``update_proj_gap`` steps after it:

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) (P^\top g_t)^2, \\
        \theta_t = (1 - \eta\lambda) \left(\theta_{t-1} - \eta s \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
            P\, \frac{P^\top m_t}{\sqrt{v_t} + \epsilon}\right)

    For any other matrix :math:`P` is the right singular vectors, and multiplies from the right. Leaves that are not
    matrices, and those that ``matrices`` leaves out, get AdamW with the same rate and weight decay.

    A step costs three products with the basis, as many operations as a product of the leaf with a square matrix of its
    smaller side each; a new basis costs a singular value decomposition, in the steps that need it alone.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment, before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0; of a matrix it follows the update.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        matrices: Which leaves the rule for matrices takes, of those with two dimensions: a pytree of bools, or a
            function that makes one from the parameters. It should leave out embeddings and the output layer. None
            takes all.
        update_proj_gap: Steps from one basis to the next, at least 1.
        scale: Multiplies the update of a matrix, finite and > 0. The paper's runs on GPT-2 have 0.25.
        adamw_b1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_b2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``update_proj_gap``, or a parameter is
            not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Wang et al. (2025), https://arxiv.org/abs/2509.24218, and its code, which counts the steps so.

    Example:
        >>> import jax.numpy as jnp
        >>> from alphaadam.optax.baselines import conda
        >>> params, optimizer = jnp.array([[1.0, 2.0], [3.0, 5.0]]), conda(0.1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(updates.round(4))
        [[ 0.0356 -0.1369]
         [-0.1369 -0.0356]]
    """
    checks.check_static("conda", update_proj_gap=update_proj_gap)
    b1 = checks.check_beta("b1", b1, "0.9", "conda")
    b2 = checks.check_beta("b2", b2, "0.999", "conda")
    eps = checks.check_nonnegative("eps", eps, "1e-8", "conda")
    hyperparameters.check_count("update_proj_gap", update_proj_gap, "2000", "conda")
    scale = checks.check_positive("scale", scale, "1.0", "conda")
    rule_of = split_by(
        matrices, _Rule(b1, b2, eps, update_proj_gap, scale), fallback("conda", adamw_b1, adamw_b2, adamw_eps)
    )
    return baseline("conda", rule_of, learning_rate, weight_decay, mask)
