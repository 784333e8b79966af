"""AlphaAdam's mask and alpha around another optimizer: what it would add to the parameters is masked and rescaled."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._derivative import smooth_strength
from alphaadam._jax._rule import compute_dtype, decide_mask, decide_strength
from alphaadam.optax import _checks as checks
from alphaadam.optax._inner import is_none, momenta, split_decay


class AlphaMaskState(NamedTuple):
    """State of :func:`alpha_mask` with ``record_diagnostics=True``: the inner one, and what the last step decided.

    Attributes:
        inner_state: State of the inner optimizer.
        alpha: Strength of the last step per tensor, shape (), float32 (float64 for float64 tensors).
        mask: Mask of the last step per tensor, bool, of the tensor's shape.
    """

    inner_state: optax.OptState
    alpha: optax.Updates
    mask: optax.Updates


def alpha_mask(
    inner: optax.GradientTransformation,
    *,
    momentum: str | Callable[[Any], Any] | None = None,
    masking: str = "async",
    alpha: str | jax.typing.ArrayLike = "norm",
    alpha_max: jax.typing.ArrayLike | None = None,
    record_diagnostics: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Mask and rescale what another optimizer with a momentum does.

    Where the inner optimizer would add :math:`d` to a parameter tensor, without its weight decay, this one adds
    :math:`\alpha (A \odot d)`. With the inner optimizer's momentum :math:`m` and the gradient :math:`g_t`:

    .. math::
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    Mask and :math:`\alpha` are those of :func:`alphaadam`, and around ``optax.scale_by_adam`` this is
    ``scale_by_alphaadam`` up to the rounding of the bias correction. Neither changes if :math:`d` is multiplied by a
    number, so ``inner`` may be a whole optimizer, such as ``optax.lion(1e-4)``, or a direction that a chain multiplies
    by minus the learning rate later, such as ``optax.scale_by_lion()``.

    Weight decay is neither masked nor rescaled. That of the inner optimizer is told apart from :math:`d`; or decay
    after it, as in the second example. An inner optimizer that uses the parameters in any other way is refused, unless
    ``update`` is called without them.

    With ``masking="none", alpha=1.0`` and no decay the updates are the inner optimizer's, bit for bit.
    Half-precision updates are computed in float32 from what the inner optimizer returns, and rounded once. Complex
    tensors are refused.

    Args:
        inner: ``optax.sgd`` with momentum, ``lion``, ``adam``, ``adabelief``, ``contrib.muon`` (each tensor by the
            momentum that it has), ``alphaadam.optax.baselines.adan``, or any other transformation that keeps a
            momentum.
        momentum: Where the momentum is, if that is not clear: the name of its field in the inner state, for example
            ``"mu"``; with a minus before it, ``"-trace"``, if it gathers negated gradients, as in ``optax.rmsprop``
            with momentum and ``optax.lars``; or a function from the inner state to a pytree like the parameters.
        masking: ``"async"`` masks by the momentum before this step and the gradient, ``"sync"`` by the momentum after
            it, ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||d|| / ||A*d||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. None is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be None.
        record_diagnostics: Keep alpha and the mask of the last step in the state, which is then an
            :class:`AlphaMaskState`; read them with ``optax.tree.get(state, "alpha")``.

    Returns:
        A gradient transformation. Its state is the inner one's, whose checkpoints continue here, and back. Extra
        arguments of ``update`` are passed on.

    Raises:
        TypeError: ``inner`` is no gradient transformation, a hyperparameter is of the wrong type, or a parameter is
            complex.
        ValueError: A hyperparameter is out of range (traced values are not checked). In ``init`` and ``update``: a
            tensor has no momentum or several, ``inner`` uses the parameters for more than decay, or the state is not
            of these parameters.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4. The paper masks Adam;
    the form for other optimizers is this project's.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from alphaadam.optax import alpha_mask
        >>> optimizer = alpha_mask(optax.sgd(0.25, momentum=0.5))
        >>> params = jnp.ones(2)
        >>> state = optimizer.init(params)
        >>> for gradient in ([1.0, 1.0], [0.5, -0.5]):  # the second coordinate disagrees in step 2
        ...     updates, state = optimizer.update(jnp.array(gradient), state, params)
        ...     params = optax.apply_updates(params, updates)
        >>> print(params)
        [0.5  0.75]

        Decay and learning rate after the mask, for a direction that has none:

        >>> optimizer = optax.chain(
        ...     alpha_mask(optax.trace(0.9)), optax.add_decayed_weights(1e-4), optax.scale_by_learning_rate(0.1)
        ... )
    """
    if not isinstance(inner, optax.GradientTransformation):
        raise TypeError(
            f"alpha_mask: {inner!r} is no optax.GradientTransformation. Pass one, for example "
            "alpha_mask(optax.sgd(0.1, momentum=0.9))."
        )
    if not (momentum is None or isinstance(momentum, str) or callable(momentum)):
        raise TypeError(
            f"alpha_mask: momentum={momentum!r} is not valid. Pass the name of a field of the inner state, for example "
            "'mu', a function that takes the inner state, or None."
        )
    hyperparameters.check_masking(masking)
    checks.check_alpha(alpha, alpha_max)
    hyperparameters.check_flag("record_diagnostics", record_diagnostics)
    inner = optax.with_extra_args_support(inner)

    def find(state: Any, leaves: Any) -> list[Any]:
        return jax.tree.leaves(leaves, is_leaf=is_none) if masking == "none" else momenta(state, leaves, momentum)

    def init(params: optax.Params) -> Any:
        checks.check_params(params)
        state = inner.init(params)
        find(state, params)
        if not record_diagnostics:
            return state
        alphas = jax.tree.map(lambda p: jnp.ones([], compute_dtype(p)), params)
        masks = jax.tree.map(lambda p: jnp.full_like(p, True, dtype=bool), params)  # placed as the parameters are
        return AlphaMaskState(state, alphas, masks)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra_args: Any
    ) -> tuple[optax.Updates, Any]:
        if isinstance(state, AlphaMaskState) != record_diagnostics:
            raise ValueError(
                f"alpha_mask: record_diagnostics={record_diagnostics}, but the state is "
                f"{'an AlphaMaskState' if isinstance(state, AlphaMaskState) else 'the inner one alone'}. Its "
                "inner_state is that of alpha_mask without record_diagnostics; init makes the rest."
            )
        checks.check_params(updates)
        old = state.inner_state if record_diagnostics else state
        before = find(old, updates)
        moves, new, decay = split_decay(lambda p: inner.update(updates, old, p, **extra_args), params)
        treedef: Any
        gradients, treedef = jax.tree.flatten(updates, is_leaf=is_none)
        deciding = find(new, updates) if masking == "sync" else before
        decays = [None] * len(gradients) if decay is None else treedef.flatten_up_to(decay)

        def step(g: Any, m: Any, move: Any, decay: Any) -> tuple[Any, ...]:
            return (move, None, None) if g is None else _masked(g, m, move, decay, masking, alpha, alpha_max)

        results = list(map(step, gradients, deciding, treedef.flatten_up_to(moves), decays))
        masked, alphas, masks = (treedef.unflatten([result[field] for result in results]) for field in range(3))
        return masked, AlphaMaskState(new, alphas, masks) if record_diagnostics else new

    return optax.GradientTransformationExtraArgs(init, update)


def _masked(g, m, move, decay, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """Return (alpha * A * move + decay, alpha, A) of one tensor."""
    dtype = compute_dtype(move)
    m, u = m.astype(dtype), move.astype(dtype)
    mask = decide_mask(masking, m, m, g.astype(dtype))
    # 0, or NaN where u is not finite: as in AlphaAdam's own step a mask hides no NaN, and alpha of an infinity is NaN.
    loud = u - u
    strength = (
        _strength(masking, alpha, alpha_max, mask, u + loud) if isinstance(alpha, str) else jnp.asarray(alpha, dtype)
    )
    masked = strength * jnp.where(mask, u, loud)
    if decay is not None:
        masked += decay.astype(dtype)
    return masked.astype(move.dtype), strength, mask


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _strength(masking, alpha, alpha_max, mask, u):  # type: ignore[no-untyped-def]
    """Alpha of a rule, with AlphaAdam's derivative, which is not NaN where nothing moves."""
    return decide_strength(alpha, alpha_max, masking, mask, u)


@_strength.defjvp
def _derivative(masking, alpha, primals, tangents):  # type: ignore[no-untyped-def]
    def smooth(alpha_max, mask, u):  # type: ignore[no-untyped-def]
        return smooth_strength(u, mask, masking, alpha, alpha_max)

    return _strength(masking, alpha, *primals), jax.jvp(smooth, primals, tangents)[1]
