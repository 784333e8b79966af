"""What the baselines have in common as gradient transformations; a rule says what a leaf keeps and how it moves."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import optax

from alphaadam._jax._rule import bias_correction, compute_dtype
from alphaadam.optax import _checks as checks

__all__ = ["AdamW", "BaselineState", "Number", "Rule", "baseline", "fallback", "split_by"]

#: A hyperparameter, which ``optax.inject_hyperparams`` makes a 0-d array of the state.
Number: TypeAlias = float | jax.Array


class BaselineState(NamedTuple):
    """State of a baseline.

    Attributes:
        count: Number of steps taken, int32, shape ().
        slots: A pytree like the parameters, with a dict of arrays in the place of each leaf: what the rule keeps of it,
            float32 for half-precision parameters, else of the parameter's dtype, unless the rule says otherwise.
    """

    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, as optax.ScaleByAdamState does
    slots: Any


class Rule(Protocol):
    """A rule for one leaf. Arrays are in the dtype of the arithmetic, at least float32, and so are its own attributes.

    One that also has ``decays_last = True`` has weight decay shrink the leaf that its move has been added to; with
    ``proximal = True`` weight decay divides by ``1 + rate * weight_decay``.
    """

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        """What is kept of a leaf before its first step."""

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What is added to the leaf, without weight decay, and what is kept of it.

        Args:
            theta: The parameter.
            gradient: Its gradient.
            slots: What was kept.
            count: The number of this step, from 1.
            rate: The learning rate of this step, in the dtype of the arithmetic.
        """


class AdamW:
    """Adam's rule, for the leaves that a rule for matrices leaves over.

    Args:
        b1: Decay rate of the first moment.
        b2: Decay rate of the second moment.
        eps: Added to the root of the second moment after bias correction.
    """

    def __init__(self, b1: Number, b2: Number, eps: Number) -> None:
        self.b1, self.b2, self.eps = b1, b2, eps

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        """Both moments."""
        return {"mu": jnp.zeros_like(theta), "nu": jnp.zeros_like(theta)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Adam's step."""
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        nu = self.b2 * slots["nu"] + (1 - self.b2) * jnp.square(gradient)
        m_hat = mu / bias_correction(self.b1, count, theta.dtype)
        v_hat = nu / bias_correction(self.b2, count, theta.dtype)
        return -rate * m_hat / (jnp.sqrt(v_hat) + self.eps), {"mu": mu, "nu": nu}


def fallback(owner: str, b1: Number, b2: Number, eps: Number) -> AdamW:
    """AdamW for what a rule for matrices leaves over, its settings checked under the names that users give them."""
    return AdamW(
        checks.check_beta("adamw_b1", b1, "0.9", owner),
        checks.check_beta("adamw_b2", b2, "0.999", owner),
        checks.check_nonnegative("adamw_eps", eps, "1e-8", owner),
    )


def baseline(
    owner: str,
    rule_of: Callable[[optax.Params], Any],
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: Number,
    mask: Any | Callable[[optax.Params], Any] | None,
) -> optax.GradientTransformationExtraArgs:
    """An optimizer from a rule.

    Weight decay is decoupled: a leaf that it touches is also multiplied by ``1 - rate * weight_decay``.

    Args:
        owner: The optimizer's name, for messages.
        rule_of: Makes from the parameters a pytree like them of rules.
        learning_rate: A number or a schedule of the steps, counted from 0.
        weight_decay: A number, which may be an array.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.

    Returns:
        A gradient transformation whose updates are to be added to the parameters, which ``update`` needs. A leaf whose
        gradient is None has no update, and its state stays.
    """
    learning_rate = checks.checked("learning_rate", learning_rate, "1e-3", owner)
    weight_decay = checks.check_nonnegative("weight_decay", weight_decay, "0.1", owner)
    _check_mask(owner, mask)

    def init(params: optax.Params) -> BaselineState:
        _check_params(owner, params)
        structure: Any
        leaves, structure = jax.tree.flatten(params)
        rules = structure.flatten_up_to(rule_of(params))
        slots = [rule.begin(_wide(leaf)) for rule, leaf in zip(rules, leaves, strict=True)]
        return BaselineState(jnp.zeros([], jnp.int32), structure.unflatten(slots))

    def update(
        updates: optax.Updates, state: BaselineState, params: optax.Params | None = None, **others: Any
    ) -> tuple[optax.Updates, BaselineState]:
        del others
        if params is None:
            raise ValueError(f"{owner}: update needs the parameters. Call update(gradients, state, params).")
        if not isinstance(state, BaselineState):
            raise TypeError(f"{owner}: the state is {type(state).__name__}. Make it with init(params).")
        checks.match_params(updates, params, owner)
        structure: Any
        gradients, structure = jax.tree.flatten(updates, is_leaf=lambda leaf: leaf is None)
        rules = structure.flatten_up_to(rule_of(params))
        thetas, slots = structure.flatten_up_to(params), structure.flatten_up_to(state.slots)
        decays = structure.flatten_up_to(_decaying(mask, params))
        count = optax.safe_increment(state.count)
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        moves: list[Any] = []
        kept: list[Any] = []
        for g, rule, theta, slot, decayed in zip(gradients, rules, thetas, slots, decays, strict=True):
            if g is None:
                moves.append(None)
                kept.append(slot)
                continue
            wide = _wide(theta)
            step = jnp.asarray(rate, wide.dtype)
            move, slot = _in(wide.dtype, rule).move(wide, jnp.asarray(g, wide.dtype), slot, count, step)
            if isinstance(weight_decay, jax.Array) or weight_decay:
                decaying = wide + move if getattr(rule, "decays_last", False) else wide
                part = step * weight_decay
                if getattr(rule, "proximal", False):
                    part = part / (1 + part)
                move = move - jnp.where(decayed, part, 0) * decaying
            moves.append(move.astype(jnp.result_type(theta)))
            kept.append(slot)
        return structure.unflatten(moves), BaselineState(count, structure.unflatten(kept))

    return optax.GradientTransformationExtraArgs(init, update)


def split_by(matrices: Any | Callable[[optax.Params], Any] | None, rule: Rule, other: Rule) -> Callable[[Any], Any]:
    """Which rule a leaf gets: matrices one, all other leaves another.

    Args:
        matrices: A pytree of bools, or a function that makes one from the parameters; a true leaf must be a matrix.
            None is every leaf with two dimensions.
        rule: For matrices.
        other: For the others.

    Returns:
        What :func:`baseline` takes as ``rule_of``.
    """

    def rule_of(params: optax.Params) -> Any:
        if matrices is None:
            return jax.tree.map(lambda leaf: rule if jnp.ndim(leaf) == 2 else other, params)
        chosen = _spread(matrices(params) if callable(matrices) else matrices, params)
        return jax.tree.map(lambda leaf, takes: rule if takes and jnp.ndim(leaf) == 2 else other, params, chosen)

    return rule_of


def _in(dtype: Any, rule: Rule) -> Rule:
    """The rule with its hyperparameters that are arrays in a dtype; a wider one would widen what is kept of a leaf."""
    arrays = {name: value.astype(dtype) for name, value in vars(rule).items() if isinstance(value, jax.Array)}
    if not arrays:
        return rule
    cast = copy.copy(rule)
    vars(cast).update(arrays)
    return cast


def _check_mask(owner: str, mask: Any) -> None:
    if isinstance(mask, str):
        raise TypeError(
            f"{owner}: mask={mask!r} is not valid. Pass a pytree of bools or a function of the parameters: which "
            "leaves weight decay touches."
        )


def _check_params(owner: str, params: optax.Params) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating) or jnp.result_type(leaf).itemsize == 1:
            raise TypeError(
                f"{owner}: the parameter {jax.tree_util.keystr(path)} is {jnp.result_type(leaf)}, which is not "
                "supported. Pass floating-point leaves of 16 bits or more, and leave others out with optax.masked."
            )


def _decaying(mask: Any | Callable[[optax.Params], Any] | None, params: optax.Params) -> Any:
    if mask is None:
        return jax.tree.map(lambda _: True, params)
    return _spread(mask(params) if callable(mask) else mask, params)


def _spread(flags: Any, params: optax.Params) -> Any:
    """A tree of bools for every leaf from one that may, as Optax' masks, stop at a whole subtree."""
    return jax.tree.map(lambda flag, subtree: jax.tree.map(lambda _: flag, subtree), flags, params)


def _wide(leaf: Any) -> jax.Array:
    return jnp.asarray(leaf, compute_dtype(leaf))
