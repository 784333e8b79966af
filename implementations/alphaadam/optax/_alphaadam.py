"""AlphaAdam as a gradient transformation: ``scale_by_alphaadam`` holds the rule, ``alphaadam`` adds decay and rate."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as checks
from alphaadam.optax._rule import compute_dtype, refuse_complex, update_tensor


class ScaleByAlphaAdamState(NamedTuple):
    """State of :func:`scale_by_alphaadam` with ``record_diagnostics=True``: Adam's, and what the last step decided.

    Attributes:
        count: Number of steps taken, int32, shape ().
        mu: First moments, a pytree like the parameters.
        nu: Second moments, a pytree like the parameters.
        alpha: Strength of the last step per tensor, shape (), float32 (float64 for float64 tensors).
        mask: Mask of the last step per tensor, bool, of the tensor's shape.
    """

    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, as optax.ScaleByAdamState does
    mu: optax.Updates
    nu: optax.Updates
    alpha: optax.Updates
    mask: optax.Updates


def scale_by_alphaadam(
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    mu_dtype: jax.typing.DTypeLike | None = None,
    *,
    masking: str = "async",
    alpha: str | jax.typing.ArrayLike = "norm",
    alpha_max: jax.typing.ArrayLike | None = None,
    record_diagnostics: bool = False,
) -> optax.GradientTransformation:
    r"""Rescale updates by AlphaAdam's rule, without weight decay and learning rate.

    The result is :math:`\alpha (A \odot u)` per tensor, with Adam's direction :math:`u`, the mask :math:`A` and the
    strength :math:`\alpha`; see :func:`alphaadam`. Half-precision tensors are computed in float32 and rounded when
    stored and returned. Complex tensors are refused.

    Args:
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        mu_dtype: Dtype of the first moment; None is the parameters'.
        masking: ``"async"``, ``"sync"`` or ``"none"``.
        alpha: ``"norm"``, ``"count"`` or a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1; None is the rule's own.
        record_diagnostics: Keep alpha and the mask of the last step in the state, which is then a
            :class:`ScaleByAlphaAdamState`; read them with ``optax.tree.get(state, "alpha")``.

    Returns:
        A gradient transformation. Its state is ``optax.ScaleByAdamState``, so the state of ``optax.scale_by_adam``
        continues here, and back.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range. Traced values are not checked.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4.

    Example:
        >>> import jax.numpy as jnp
        >>> from alphaadam.optax import scale_by_alphaadam
        >>> transformation = scale_by_alphaadam(alpha=1.0)
        >>> state = transformation.init(jnp.zeros(2))
        >>> updates, state = transformation.update(jnp.array([1.0, 1.0]), state)
        >>> updates, state = transformation.update(jnp.array([1.0, -1.0]), state)
        >>> print(updates.round(3))  # the second coordinate disagrees with its history
        [1. 0.]
    """
    _check(checks.check_beta, "b1", b1, "0.9")
    _check(checks.check_beta, "b2", b2, "0.999")
    _check(checks.check_nonnegative, "eps", eps, "1e-8")
    checks.check_masking(masking)
    if not isinstance(alpha, jax.core.Tracer) and not isinstance(alpha_max, jax.core.Tracer):
        checks.check_alpha(_concrete(alpha), _concrete(alpha_max))
    checks.check_flag("record_diagnostics", record_diagnostics)

    def init(params: optax.Params) -> Any:
        for leaf in jax.tree.leaves(params):
            refuse_complex(leaf)
        mu = optax.tree.zeros_like(params, dtype=mu_dtype)
        nu = optax.tree.zeros_like(params)
        count = jnp.zeros([], jnp.int32)
        if not record_diagnostics:
            return optax.ScaleByAdamState(count, mu, nu)
        alphas = jax.tree.map(lambda p: jnp.ones([], compute_dtype(p)), params)
        masks = jax.tree.map(lambda p: jnp.ones(jnp.shape(p), bool), params)
        return ScaleByAlphaAdamState(count, mu, nu, alphas, masks)

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> tuple[optax.Updates, Any]:
        del params
        count = optax.safe_increment(state.count)

        def step(g: jax.Array, m: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
            return update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max)

        treedef: Any
        gradients, treedef = jax.tree.flatten(updates)
        results = list(map(step, gradients, treedef.flatten_up_to(state.mu), treedef.flatten_up_to(state.nu)))
        scaled, mu, nu, alphas, masks = (treedef.unflatten([result[field] for result in results]) for field in range(5))
        if not record_diagnostics:
            return scaled, optax.ScaleByAdamState(count, mu, nu)
        return scaled, ScaleByAlphaAdamState(count, mu, nu, alphas, masks)

    return optax.GradientTransformation(init, update)


def alphaadam(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: jax.typing.ArrayLike = 0.9,
    b2: jax.typing.ArrayLike = 0.999,
    eps: jax.typing.ArrayLike = 1e-8,
    mu_dtype: jax.typing.DTypeLike | None = None,
    weight_decay: jax.typing.ArrayLike = 0.01,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    masking: str = "async",
    alpha: str | jax.typing.ArrayLike = "norm",
    alpha_max: jax.typing.ArrayLike | None = None,
    record_diagnostics: bool = False,
) -> optax.GradientTransformation:
    r"""AdamW whose update is masked per coordinate and rescaled per tensor.

    For each tensor :math:`\theta` with gradient :math:`g_t` and Adam's direction
    :math:`u = \hat m_t / (\sqrt{\hat v_t} + \epsilon)`:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\alpha\,(A \odot u), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    With ``masking="none", alpha=1.0`` this is ``optax.adamw``, with ``masking="sync", alpha="count"`` Cautious AdamW.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        mu_dtype: Dtype of the first moment; None is the parameters'.
        weight_decay: Decoupled weight decay, finite and >= 0. It reaches every coordinate, masked or not.
        mask: Which leaves weight decay touches, as in ``optax.adamw``: a pytree of bools, or a function that makes
            one from the parameters. AlphaAdam's own mask is ``masking``.
        masking: ``"async"`` masks by the moment before this step and the gradient, ``"sync"`` by the moment after it,
            ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||u|| / ||A*u||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. None is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be None.
        record_diagnostics: As in :func:`scale_by_alphaadam`.

    Returns:
        A gradient transformation whose state is that of ``optax.adamw``: its checkpoints continue here, and back.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
        ValueError: A hyperparameter is out of range. Traced values and schedules are not checked.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4, appendices C, E and F.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax import alphaadam
        >>> optimizer = alphaadam(learning_rate=0.1)
        >>> params = {"w": jnp.array([1.0, -2.0])}
        >>> state = optimizer.init(params)
        >>> gradients = jax.grad(lambda p: jnp.sum(p["w"] ** 2))(params)
        >>> updates, state = optimizer.update(gradients, state, params)
        >>> print(optax.apply_updates(params, updates)["w"])
        [ 0.899 -1.898]
    """
    if not callable(learning_rate):
        _check(checks.check_nonnegative, "learning_rate", learning_rate, "1e-3")
    _check(checks.check_nonnegative, "weight_decay", weight_decay, "0.01")
    return optax.chain(
        scale_by_alphaadam(
            b1,
            b2,
            eps,
            mu_dtype,
            masking=masking,
            alpha=alpha,
            alpha_max=alpha_max,
            record_diagnostics=record_diagnostics,
        ),
        optax.add_decayed_weights(weight_decay, mask),
        optax.scale_by_learning_rate(learning_rate),
    )


def _concrete(value: Any) -> Any:
    """A 0-d array as the Python number it holds, anything else as it is."""
    return value.item() if isinstance(value, jax.Array) and value.ndim == 0 else value


def _check(check: Callable[[str, Any, str], None], name: str, value: Any, example: str) -> None:
    if not isinstance(value, jax.core.Tracer):
        check(name, _concrete(value), example)
