"""Sophia: the moment divided by an estimate of the Hessian's diagonal, and clipped."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import BaselineState, Number, baseline

__all__ = ["sophia"]


class _Rule:
    def __init__(self, b1: Number, gamma: Number, eps: Number) -> None:
        self.b1, self.gamma, self.eps = b1, gamma, eps

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        return {"mu": jnp.zeros_like(theta), "hessian": jnp.zeros_like(theta)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        denominator = jnp.maximum(self.gamma * slots["hessian"], self.eps)
        return -rate * jnp.clip(mu / denominator, -1, 1), {"mu": mu, "hessian": slots["hessian"]}


def sophia(
    learning_rate: optax.ScalarOrSchedule = 1e-4,
    b1: Number = 0.96,
    b2: Number = 0.99,
    gamma: Number = 0.05,
    eps: Number = 1e-12,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""The moment divided by an estimate of the Hessian's diagonal, each coordinate clipped to the learning rate.

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
        h_t = \beta_2 h_{t-k} + (1 - \beta_2)\, \hat h_t \text{ in every } k\text{-th step}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \mathrm{clip}\!\left(\frac{m_t}{\max(\gamma h_t, \epsilon)}, -1, 1\right)

    It takes every leaf. ``update(gradients, state, params, hessian=estimates)`` is a step that is given estimates,
    which count in it: those of :func:`hutchinson` or :func:`gauss_newton_bartlett`, every 10 steps in the paper,
    beginning with the first. Other steps leave the argument out. Until the first estimate, and where the curvature is
    negative, the step is the learning rate times the sign of the moment. In one compiled function, ``jax.lax.cond``
    chooses between the two kinds of step, so that the estimates are computed only when they are due.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the moment, in [0, 1).
        b2: Decay rate of the average of the estimates, in [0, 1).
        gamma: Factor of that average, finite and > 0: the larger, the fewer coordinates are clipped. In the paper 0.01
            for :func:`hutchinson` and 0.05 for :func:`gauss_newton_bartlett`, and in general such that one to five in
            ten coordinates are not clipped.
        eps: Least denominator, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients or estimates do not
            match the parameters.

    Source: Liu, Li, Hall, Liang and Ma (2023), https://arxiv.org/abs/2305.14342.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import sophia
        >>> params, optimizer = jnp.array([1.0, -2.0]), sophia(0.5, gamma=20.0)
        >>> estimates = jnp.array([2.0, 0.0])
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params, hessian=estimates)
        >>> print(optax.apply_updates(params, updates).round(4))
        [ 0.9 -1.5]
    """
    b1 = checks.check_beta("b1", b1, "0.96", "sophia")
    b2 = checks.check_beta("b2", b2, "0.99", "sophia")
    gamma = checks.check_positive("gamma", gamma, "0.05", "sophia")
    eps = checks.check_positive("eps", eps, "1e-12", "sophia")
    rule = _Rule(b1, gamma, eps)
    plain = baseline("sophia", lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)

    def update(
        updates: optax.Updates,
        state: BaselineState,
        params: optax.Params | None = None,
        *,
        hessian: Any = None,
        **others: Any,
    ) -> tuple[optax.Updates, BaselineState]:
        if hessian is not None and params is not None:
            state = state._replace(slots=_refreshed(state.slots, hessian, params, b2))
        return plain.update(updates, state, params, **others)

    return optax.GradientTransformationExtraArgs(plain.init, update)


def _refreshed(slots: Any, hessian: Any, params: optax.Params, b2: Number) -> Any:
    """What is kept, with estimates taken into the averages; a leaf without estimate is as before."""
    structure: Any
    estimates, structure = jax.tree.flatten(hessian, is_leaf=_is_none)
    leaves, wanted = jax.tree.flatten(params, is_leaf=_is_none)
    if structure != wanted:
        raise ValueError(
            f"sophia: hessian has the structure {structure}, the parameters {wanted}. Pass what hutchinson or "
            "gauss_newton_bartlett returned for these parameters; a leaf without estimate has None."
        )
    kept = structure.flatten_up_to(slots)
    for index, (estimate, leaf) in enumerate(zip(estimates, leaves, strict=True)):
        if estimate is None:
            continue
        if jnp.shape(estimate) != jnp.shape(leaf):
            raise ValueError(
                f"sophia: leaf {index} of hessian has shape {jnp.shape(estimate)}, its parameter {jnp.shape(leaf)}. "
                "Pass one number for each element."
            )
        old = kept[index]["hessian"]
        decay = b2.astype(old.dtype) if isinstance(b2, jax.Array) else b2
        kept[index] = {**kept[index], "hessian": decay * old + (1 - decay) * jnp.asarray(estimate, old.dtype)}
    return structure.unflatten(kept)


def _is_none(leaf: Any) -> bool:
    return leaf is None
