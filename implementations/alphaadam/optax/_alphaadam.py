"""AlphaAdam as a gradient transformation: ``scale_by_alphaadam`` holds the rule, ``alphaadam`` adds decay and rate."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._derivative import differentiable_update
from alphaadam._jax._rule import compute_dtype
from alphaadam.optax import _checks as checks


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
        mu_dtype: Floating dtype in which ``init`` makes the first moment; None is the parameters'. A state keeps the
            dtypes that it has.
        masking: ``"async"``, ``"sync"`` or ``"none"``.
        alpha: ``"norm"``, ``"count"`` or a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1; None is the rule's own.
        record_diagnostics: Keep alpha and the mask of the last step in the state, which is then a
            :class:`ScaleByAlphaAdamState`; read them with ``optax.tree.get(state, "alpha")``.

    Returns:
        A gradient transformation. Its state is ``optax.ScaleByAdamState``, so the state of ``optax.scale_by_adam``
        continues here, and back. A leaf whose gradient is None has no update, and its moments stay.

    Raises:
        TypeError: A hyperparameter is of the wrong type; a parameter or gradient is complex, or a gradient not
            floating-point; a state is not Adam's.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and moments
            differ in structure or shape.

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
    b1 = checks.check_beta("b1", b1, "0.9")
    b2 = checks.check_beta("b2", b2, "0.999")
    eps = checks.check_nonnegative("eps", eps, "1e-8")
    checks.check_mu_dtype(mu_dtype)
    hyperparameters.check_masking(masking)
    alpha, alpha_max = checks.check_alpha(alpha, alpha_max)
    hyperparameters.check_flag("record_diagnostics", record_diagnostics)
    moments_dtype = None if mu_dtype is None else jax.dtypes.canonicalize_dtype(mu_dtype)

    def init(params: optax.Params) -> Any:
        checks.check_params(params)
        mu = optax.tree.zeros_like(params, dtype=moments_dtype)
        nu = optax.tree.zeros_like(params)
        count = jnp.zeros([], jnp.int32)
        if not record_diagnostics:
            return optax.ScaleByAdamState(count, mu, nu)
        return ScaleByAlphaAdamState(count, mu, nu, *_diagnostics(params, selected=True))

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> tuple[optax.Updates, Any]:
        del params
        checks.check_state(state, _STATES)
        treedef, gradients, mu, nu = checks.match_moments(updates, state.mu, state.nu)
        count = optax.safe_increment(state.count)
        columns: list[list[Any]] = [[], [], [], [], []]
        for g, m, v in zip(gradients, mu, nu, strict=True):
            if g is None:  # Optax's sign for a leaf that takes no part: its moments stay, nothing is selected
                results = None, m, v, *_diagnostics(v, selected=False)
            else:
                numbers = {"b1": b1, "b2": b2, "eps": eps, "alpha": alpha, "alpha_max": alpha_max}
                scaled, *others = differentiable_update(g, m, v, count, masking=masking, **numbers)
                results = scaled.astype(g.dtype), *others
            for column, result in zip(columns, results, strict=True):
                column.append(result)
        scaled, mu, nu, alphas, masks = map(treedef.unflatten, columns)
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
    weight_decay: optax.ScalarOrSchedule = 0.01,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    masking: str = "async",
    alpha: str | jax.typing.ArrayLike = "norm",
    alpha_max: jax.typing.ArrayLike | None = None,
    record_diagnostics: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""AdamW whose update is masked per coordinate and rescaled per tensor.

    For each tensor :math:`\theta` with gradient :math:`g_t` and Adam's direction
    :math:`u = \hat m_t / (\sqrt{\hat v_t} + \epsilon)`:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\alpha\,(A \odot u), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    With ``masking="none", alpha=1.0`` this is ``optax.adamw``, with ``masking="sync", alpha="count"`` Cautious AdamW.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        mu_dtype: Floating dtype in which ``init`` makes the first moment; None is the parameters'. A state keeps the
            dtypes that it has.
        weight_decay: Decoupled weight decay, finite and >= 0, or a schedule. It reaches every coordinate, masked or
            not, and is multiplied with the learning rate, as in ``optax.adamw``.
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
        Like that one it needs the parameters in ``update``.

    Raises:
        TypeError: As :func:`scale_by_alphaadam`, and for a state that ``optax.adamw`` with these schedules and this
            mask would not have.
        ValueError: As :func:`scale_by_alphaadam`, and for gradients that differ in structure or shape from the
            parameters. What a schedule returns is looked at in ``init`` and wherever a step is not traced.

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
    checks.check_decay_mask(mask)
    learning_rate = checks.checked("learning_rate", learning_rate, "1e-3")
    weight_decay = checks.checked("weight_decay", weight_decay, "0.01")
    chain = optax.chain(
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
    schedules = [argument for argument in (learning_rate, weight_decay) if callable(argument)]
    # The fields that each part of the chain reads of its own state.
    masked = () if mask is None else ("inner_state",)
    needed = (
        (),
        (*masked, "count") if callable(weight_decay) else masked,
        ("count",) if callable(learning_rate) else (),
    )

    def init(params: optax.Params) -> Any:
        for schedule in schedules:
            schedule(jnp.zeros([], jnp.int32))
        return chain.init(params)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        checks.check_chain(state, needed, _STATES)
        if params is not None:  # else Optax says what is missing
            checks.match_params(updates, params)
        return chain.update(updates, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(init, update)


#: The states of Adam's kind, with which a step can begin.
_STATES = (optax.ScaleByAdamState, ScaleByAlphaAdamState)


def _diagnostics(params: optax.Params, selected: bool) -> tuple[Any, Any]:
    """Alpha and mask where no step was made. The mask is placed as the parameters are."""
    alphas = jax.tree.map(lambda p: jnp.ones([], compute_dtype(p)), params)
    return alphas, jax.tree.map(lambda p: jnp.full_like(p, selected, dtype=bool), params)
