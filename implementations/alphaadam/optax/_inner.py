"""What ``alpha_mask`` has to know of the transformation inside it: its momentum, and which of its update is decay."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.extend import core

#: Fields that Optax's states keep a momentum in: trace, ema; Adam and most others, Lion and Muon; Adan; AdEMAMix;
#: Prodigy and its relatives. The last is that of alphaadam.optax.baselines, which has it beside what else they keep.
FIELDS = ("trace", "ema", "mu", "m", "m1", "exp_avg", "slots")

#: What may lie on the way of ``g + weight_decay * params`` to the update.
_LINEAR = ("add", "add_any", "sub", "neg", "mul", "div", "convert_element_type", "broadcast_in_dim", "reshape")


def is_none(x: Any) -> bool:
    return x is None


def momenta(state: Any, updates: Any, momentum: str | Callable[[Any], Any] | None) -> list[Any]:
    """Find the momentum of every leaf of ``updates`` in an inner state.

    Args:
        state: State of the inner transformation.
        updates: A pytree of gradients or parameters. A leaf may be None.
        momentum: As in ``alpha_mask``.

    Returns:
        Momenta in the order of the leaves, with the sign of the gradients that they gather.

    Raises:
        ValueError: A leaf has none or several, or one whose sign is not known.
    """
    if optax.tree.get_all_with_path(state, "MultiStepsState"):
        raise ValueError(
            "alpha_mask: the inner optimizer is an optax.MultiSteps, whose momentum gathers averages of gradients, not "
            "those of each step. Put it outside: optax.MultiSteps(alpha_mask(inner), every_k_schedule)."
        )
    treedef: Any
    paths, treedef = jax.tree_util.tree_flatten_with_path(updates, is_leaf=is_none)
    candidates = []
    for name, tree in _candidates(state, momentum):
        try:
            leaves = treedef.flatten_up_to(tree)
            candidates.append((name, [slot.get("mu") if isinstance(slot, dict) else slot for slot in leaves]))
        except (ValueError, TypeError, KeyError):  # a tree of another structure
            continue
    found = []
    for number, (path, leaf) in enumerate(paths):
        fitting = [(name, leaves[number]) for name, leaves in candidates if _fits(leaves[number], leaf)]
        if leaf is not None and len(fitting) != 1:
            which = jax.tree_util.keystr(path)
            raise ValueError(_several([name for name, _ in fitting]) if fitting else _nothing(state, which, leaf))
        found.append(fitting[0][1] if fitting else None)
    if isinstance(momentum, str) and momentum.startswith("-"):
        found = [None if m is None else -m for m in found]
    return found


def _candidates(state: Any, momentum: str | Callable[[Any], Any] | None) -> Iterator[tuple[str, Any]]:
    """Trees of the state that may be the momentum, with a name for messages."""
    if callable(momentum):
        yield "momentum(state)", momentum(state)
        return
    for field in FIELDS if momentum is None else (momentum.removeprefix("-"),):
        for path, tree in optax.tree.get_all_with_path(state, field):
            if momentum is None:
                if not isinstance(path[-1], optax.tree_utils.NamedTupleKey):
                    continue  # a dictionary of parameters may have such a key, too
                _require_known_sign(state, path)
            yield jax.tree_util.keystr(path), tree


def _require_known_sign(state: Any, path: tuple[Any, ...]) -> None:
    """Refuse to guess what a trace gathers that ends a chain, as in ``optax.rmsprop`` and ``optax.lars``."""
    if path[-1].tuple_name not in ("TraceState", "EmaState"):
        return
    chain, position = (), 0
    for key in path:
        if isinstance(key, jax.tree_util.SequenceKey):
            chain, position = state, key.idx
        state = getattr(state, key.name) if hasattr(key, "name") else state[key.idx if hasattr(key, "idx") else key.key]
    if len(chain) > 1 and position == len(chain) - 1:
        raise ValueError(
            f"alpha_mask: {jax.tree_util.keystr(path)} ends a chain, and what it gathers may be multiplied by minus "
            "the learning rate already, as in optax.rmsprop and optax.lars. Say which: "
            f"momentum='-{path[-1].name}' if it gathers negated gradients, momentum='{path[-1].name}' if not."
        )


def _fits(momentum: Any, leaf: Any) -> bool:
    """Tell an array of the leaf's shape from a MaskedNode, a count or a whole subtree."""
    return (
        leaf is not None
        and hasattr(momentum, "dtype")
        and jnp.issubdtype(momentum.dtype, jnp.floating)
        and jnp.shape(momentum) == jnp.shape(leaf)
    )


def _several(names: list[str]) -> str:
    return (
        f"alpha_mask: the inner optimizer keeps several momenta: {', '.join(names)}. Say which to mask by, with the "
        "name of its field, for example momentum='mu', or with a function, momentum=lambda state: state[0].mu."
    )


def _nothing(state: Any, which: str, leaf: Any) -> str:
    keys = [key for path, _ in jax.tree_util.tree_leaves_with_path(state) for key in path]
    fields = dict.fromkeys(key.name for key in keys if isinstance(key, jax.tree_util.GetAttrKey))
    return (
        f"alpha_mask: the inner optimizer keeps no momentum of shape {jnp.shape(leaf)} to mask the leaf "
        f"{which or 'given'} by; the fields of its state are: {', '.join(fields) or 'none'}. Give it a momentum, for "
        "example optax.sgd(learning_rate, momentum=0.9), or name the field with momentum=. In optax.partition, put "
        "alpha_mask around the transformations that have one. State and gradients must be of the same parameters."
    )


def split_decay(update: Callable[[Any], tuple[Any, Any]], params: Any) -> tuple[Any, Any, Any]:
    """Run an inner update as if it had no weight decay.

    An update that decays is ``d(params) = d(0) + c * params``: what it would be without decay, and the decay. The
    derivative tells both without a difference of numbers that are nearly the same.

    Args:
        update: ``params -> (updates, state)``.
        params: The parameters, or None.

    Returns:
        The updates without decay, the state, and the decay as a pytree like the updates, None where there is none.

    Raises:
        ValueError: The parameters enter in another way.
    """
    if params is None:
        return (*update(None), None)
    traced, shapes = jax.make_jaxpr(update, return_shape=True)(params)
    treedef, count = jax.tree.structure(shapes), len(jax.tree.leaves(shapes[0]))
    uses = _uses(traced.jaxpr)
    if "other" in uses[:count] or any(uses[count:]):
        raise ValueError(
            "alpha_mask: the inner optimizer uses the parameters for more than a weight decay that it adds to its "
            "update, so that its decay and its move cannot be told apart. Put alpha_mask around the part that keeps "
            "the momentum, for example optax.scale_by_adam(), and what uses the parameters after it in optax.chain: "
            "optax.add_decayed_weights, optax.scale_by_trust_ratio, optax.scale_by_learning_rate."
        )
    run, leaves = core.jaxpr_as_fun(traced), jax.tree.leaves(params)
    if not any(uses):
        return (*jax.tree.unflatten(treedef, run(*leaves)), None)
    outputs, tangents = jax.jvp(run, tuple(map(jnp.zeros_like, leaves)), tuple(leaves))
    decay, _ = jax.tree.unflatten(treedef, tangents)
    return (*jax.tree.unflatten(treedef, outputs), decay)


def _uses(jaxpr: Any) -> list[str | None]:
    """How each output uses the inputs: None (not at all), "linear" (a constant times them is added) or "other"."""
    uses: dict[Any, str] = dict.fromkeys(jaxpr.invars, "linear")
    for equation in jaxpr.eqns:
        operands = [None if isinstance(v, core.Literal) else uses.get(v) for v in equation.invars]
        if not any(operands):
            continue
        name = equation.primitive.name
        if name == "mul" and any(isinstance(v, core.Literal) and v.val == 0 for v in equation.invars):
            continue  # a weight decay of 0
        # A product with them, or a quotient by them, is linear in none of them.
        nonlinear = (name == "mul" and all(operands)) or (name == "div" and operands[1])
        linear = name in _LINEAR and "other" not in operands and not nonlinear
        uses.update(dict.fromkeys(equation.outvars, "linear" if linear else "other"))
    return [None if isinstance(v, core.Literal) else uses.get(v) for v in jaxpr.outvars]
