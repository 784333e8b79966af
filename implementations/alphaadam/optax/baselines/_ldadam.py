"""LDAdam: Adam in a subspace that turns in every step."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline, fallback, split_by
from alphaadam.optax.baselines._subspaces import singular_vectors

__all__ = ["ldadam"]

#: What these lose comes back as the error of the next step, but not what a GPU's shorter formats lose.
_product = functools.partial(jnp.matmul, precision="highest")


class _Rule:
    def __init__(self, b1: Number, b2: Number, eps: Number, rank: int, rho: Number) -> None:
        self.b1, self.b2, self.eps, self.rank, self.rho = b1, b2, eps, rank, rho

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        smaller, larger = sorted(theta.shape)
        rank = min(self.rank, smaller)
        shapes = {"projector": (smaller, rank), "mu": (rank, larger), "nu": (rank, larger), "error": theta.shape}
        return {name: jnp.zeros(shape, theta.dtype) for name, shape in shapes.items()}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        b1, b2 = self.b1, self.b2
        tall = theta.shape[0] > theta.shape[1]
        total = slots["error"] + gradient
        total = total.T if tall else total
        before, mu, nu = slots["projector"], slots["mu"], slots["nu"]
        # Before the first step there is no projector and both moments are 0, so that their corrections may be anything.
        correction1, correction2 = (bias_correction(b, jnp.maximum(count - 1, 1), theta.dtype) for b in (b1, b2))
        m_hat = mu / correction1
        lifted = _product(before, mu)

        def turned() -> jax.Array:
            mixed = self.rho / correction1 * lifted + (1 - self.rho) * total
            return jnp.linalg.qr(_product(mixed, _product(mixed.T, before)))[0]

        # A leaf may have its first gradient later than others.
        p = jax.lax.cond(jnp.any(before != 0), turned, lambda: singular_vectors(total.T, mu.shape[0]))
        turn = _product(p.T, before)
        spread = _product(jnp.square(turn), nu / correction2 - jnp.square(m_hat))
        nu = correction2 * jnp.abs(spread + jnp.square(_product(turn, m_hat)))
        mu = _product(turn, mu)
        low = _product(p.T, total)
        feedback = b1 / (1 - b1)
        error = total - _product(p, low + feedback * mu) + feedback * lifted
        mu = b1 * mu + (1 - b1) * low
        nu = b2 * nu + (1 - b2) * jnp.square(low)
        root = jnp.sqrt(nu / bias_correction(b2, count, theta.dtype)) + self.eps
        move = -rate * _product(p, mu / bias_correction(b1, count, theta.dtype) / root)
        if tall:
            move, error = move.T, error.T
        return move, {"projector": p, "mu": mu, "nu": nu, "error": error}


def ldadam(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.908,
    b2: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    matrices: Any | Callable[[optax.Params], Any] | None = None,
    rank: int = 16,
    rho: Number = 0.908,
    adamw_b1: Number = 0.9,
    adamw_b2: Number = 0.999,
    adamw_eps: Number = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam on matrices projected to a few dimensions, whose subspace one power iteration turns in every step.

    For a matrix :math:`p \times q`, :math:`p \le q`, with :math:`P` of :math:`p \times r` and orthonormal columns:

    .. math::
        A &= G_t + E_{t-1}, \qquad \hat M = M_{t-1} / (1 - \beta_1^{t-1}), \qquad
            \hat V = V_{t-1} / (1 - \beta_2^{t-1}) \\
        B &= \rho P_{t-1} \hat M + (1 - \rho) A, \qquad P_t = \operatorname{qr}(B B^\top P_{t-1}), \qquad
            S = P_t^\top P_{t-1} \\
        \tilde M &= S M_{t-1}, \qquad
            \tilde V = (1 - \beta_2^{t-1}) \left| S^{\circ 2} (\hat V - \hat M^2) + (S \hat M)^2 \right| \\
        M_t &= \beta_1 \tilde M + (1 - \beta_1) P_t^\top A, \qquad
            V_t = \beta_2 \tilde V + (1 - \beta_2) (P_t^\top A)^2 \\
        \Theta_t &= (1 - \eta\lambda) \Theta_{t-1}
            - \eta P_t \frac{M_t / (1 - \beta_1^t)}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon} \\
        E_t &= A - P_t P_t^\top A + \tfrac{\beta_1}{1 - \beta_1} (P_{t-1} M_{t-1} - P_t \tilde M)

    :math:`P_1` holds the leading left singular vectors of the first gradient. A matrix with more rows than columns is
    transposed, so that the projection is always on its smaller side.

    It takes leaves with two dimensions; those that ``matrices`` leaves out, and all others, get AdamW with the same
    learning rate and weight decay. Each matrix keeps an error of its own size.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        matrices: Which leaves the rule for matrices takes, of those with two dimensions: a pytree of bools, or a
            function that makes one from the parameters. It should leave out embeddings and the output layer. None
            takes all.
        rank: Dimensions of the subspace, >= 1; a matrix with a smaller side has as many as that.
        rho: Weight of the momentum beside the gradient where the subspace is found, in [0, 1).
        adamw_b1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_b2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_eps: AdamW's epsilon, finite and >= 0.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``rank``, or a parameter is not
            floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Robert et al. (2025), https://arxiv.org/abs/2410.16103.

    Example:
        >>> import jax.numpy as jnp, numpy as np, optax
        >>> from alphaadam.optax.baselines import ldadam
        >>> params = jnp.array([[1.0, 2.0, 3.0], [2.0, -1.0, 0.5]])
        >>> optimizer = ldadam(0.1, rank=1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(np.asarray(optax.apply_updates(params, updates)).round(3))
        [[ 0.901  1.901  2.901]
         [ 1.984 -1.016  0.484]]
    """
    checks.check_static("ldadam", rank=rank)
    b1 = checks.check_beta("b1", b1, "0.908", "ldadam")
    b2 = checks.check_beta("b2", b2, "0.99", "ldadam")
    eps = checks.check_positive("eps", eps, "1e-8", "ldadam")
    hyperparameters.check_count("rank", rank, "16", "ldadam")
    rho = checks.check_beta("rho", rho, "0.908", "ldadam")
    rule_of = split_by(matrices, _Rule(b1, b2, eps, rank, rho), fallback("ldadam", adamw_b1, adamw_b2, adamw_eps))
    return baseline("ldadam", rule_of, learning_rate, weight_decay, mask)
