"""GaLore: Adam in the space of the gradient's leading singular vectors."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline, fallback, split_by
from alphaadam.optax.baselines._subspaces import align, is_due, is_wide, lift, project, singular_vectors

__all__ = ["galore"]


class _Rule:
    decays_last = True

    def __init__(self, b1: Number, b2: Number, eps: Number, rank: int, update_proj_gap: int, scale: Number) -> None:
        self.b1, self.b2, self.eps = b1, b2, eps
        self.rank, self.update_proj_gap, self.scale = rank, update_proj_gap, scale

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        rank = min(self.rank, *theta.shape)
        seen = (rank, theta.shape[1]) if is_wide(theta.shape) else (theta.shape[0], rank)
        shapes = {"mu": seen, "nu": seen, "basis": (min(theta.shape), rank)}
        return {name: jnp.zeros(shape, theta.dtype) for name, shape in shapes.items()}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        wide = is_wide(theta.shape)
        before = slots["basis"]
        basis = jax.lax.cond(
            is_due(before, gradient, (count - 1) % self.update_proj_gap == 0),
            lambda: align(singular_vectors(gradient, before.shape[1]), before),
            lambda: before,
        )
        seen = project(gradient, basis, wide)
        mu = self.b1 * slots["mu"] + (1 - self.b1) * seen
        nu = self.b2 * slots["nu"] + (1 - self.b2) * jnp.square(seen)
        ratio = mu / (jnp.sqrt(nu) + self.eps)
        correction1, correction2 = (bias_correction(b, count, theta.dtype) for b in (self.b1, self.b2))
        factor = rate * self.scale * jnp.sqrt(correction2) / correction1
        return -factor * lift(ratio, basis, wide), {"mu": mu, "nu": nu, "basis": basis}


def galore(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-6,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    matrices: Any | Callable[[optax.Params], Any] | None = None,
    rank: int = 128,
    update_proj_gap: int = 200,
    scale: Number = 0.25,
    adamw_b1: Number = 0.9,
    adamw_b2: Number = 0.999,
    adamw_eps: Number = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam in the space of the gradient's leading singular vectors, whose moments are as small as that space.

    For a matrix with fewer rows than columns, and :math:`P` the ``rank`` leading left singular vectors of :math:`g_t`,
    which are computed anew at the first step and every ``update_proj_gap`` steps after it:

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) P^\top g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) (P^\top g_t)^2, \\
        \theta_t = (1 - \eta\lambda) \left(\theta_{t-1} - \eta s \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
            P\, \frac{m_t}{\sqrt{v_t} + \epsilon}\right)

    For any other matrix :math:`P` is the right singular vectors, and multiplies from the right. A new singular vector
    has the sign that makes its inner product with the one before it positive, since the momentum is carried along it.
    Leaves that are not matrices, and those that ``matrices`` leaves out, get AdamW with the same rate and weight decay.

    State of a matrix: ``rank`` times its smaller side and twice its larger side. A step costs two products with the
    basis; a new basis costs a singular value decomposition, in the steps that need it alone.

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
        rank: Number of singular vectors, at least 1; of a matrix at most its smaller side.
        update_proj_gap: Steps from one basis to the next, at least 1.
        scale: Multiplies the update of a matrix, finite and > 0.
        adamw_b1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_b2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``rank`` or ``update_proj_gap``, or a
            parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Zhao et al. (2024), https://arxiv.org/abs/2403.03507, and its code, which counts the steps so. The choice of
    signs is ours: the paper makes none, and its code takes them as they come.

    Example:
        >>> import jax.numpy as jnp
        >>> from alphaadam.optax.baselines import galore
        >>> params, optimizer = jnp.array([[1.0, 2.0], [3.0, 5.0]]), galore(0.1, rank=1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(updates.round(4))
        [[-0.0127 -0.0216]
         [-0.0127 -0.0216]]
    """
    checks.check_static("galore", rank=rank, update_proj_gap=update_proj_gap)
    b1 = checks.check_beta("b1", b1, "0.9", "galore")
    b2 = checks.check_beta("b2", b2, "0.999", "galore")
    eps = checks.check_nonnegative("eps", eps, "1e-6", "galore")
    hyperparameters.check_count("rank", rank, "128", "galore")
    hyperparameters.check_count("update_proj_gap", update_proj_gap, "200", "galore")
    scale = checks.check_positive("scale", scale, "0.25", "galore")
    rule = _Rule(b1, b2, eps, rank, update_proj_gap, scale)
    rule_of = split_by(matrices, rule, fallback("galore", adamw_b1, adamw_b2, adamw_eps))
    return baseline("galore", rule_of, learning_rate, weight_decay, mask)
