"""What can be checked of arguments, schedules, trees and states: while tracing under jit, at little cost eagerly.

Every error names the argument, or the leaf by its path, says what it is, and what to do instead.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from alphaadam import _hyperparameters as hyperparameters

_REMEDY = "Make the state with init(params), and restore a checkpoint into such a state as its target."


# Hyperparameters and schedules


def check_beta(name: str, value: Any, example: str, owner: str = "AlphaAdam") -> Any:
    """Return the value, as a Python number if NumPy holds it."""
    return _checked(hyperparameters.check_beta, name, value, example, owner)


def check_nonnegative(name: str, value: Any, example: str, owner: str = "AlphaAdam") -> Any:
    """Return the value, as a Python number if NumPy holds it."""
    return _checked(hyperparameters.check_nonnegative, name, value, example, owner)


def check_positive(name: str, value: Any, example: str, owner: str) -> Any:
    """Return the value, as a Python number if NumPy holds it."""
    return _checked(hyperparameters.check_positive, name, value, example, owner)


def check_static(owner: str, **arguments: Any) -> None:
    """Refuse arrays in arguments that decide which program is compiled; the message names all such arguments."""
    for name, value in arguments.items():
        if isinstance(value, jax.Array):
            raise TypeError(
                f"{owner}: {name}={value!r} is not valid. Pass a Python number, since the compiled program depends on "
                "it. optax.inject_hyperparams makes arrays of numbers that it is not told to leave: "
                f"optax.inject_hyperparams({owner}, static_args={tuple(arguments)})."
            )


def check_alpha(alpha: Any, alpha_max: Any) -> tuple[Any, Any]:
    """Return both, as Python numbers if NumPy holds them. A number as alpha, traced or not, has no cap."""
    known_max = None if isinstance(alpha, str) and _unknown(alpha_max) else concrete(alpha_max)
    hyperparameters.check_alpha(1.0 if _unknown(alpha) else concrete(alpha), known_max)
    return _without_numpy(alpha), _without_numpy(alpha_max)


def check_mu_dtype(mu_dtype: Any) -> None:
    try:
        valid = mu_dtype is None or jnp.issubdtype(mu_dtype, jnp.floating)
    except TypeError:
        valid = False
    if not valid:
        raise TypeError(
            f"AlphaAdam: mu_dtype={mu_dtype!r} is not valid. Pass a floating dtype such as jnp.bfloat16, or None. "
            "(optax.adamw has eps_root in this place, AlphaAdam has none.)"
        )


def check_decay_mask(mask: Any) -> None:
    if isinstance(mask, str):
        raise TypeError(
            f"AlphaAdam: mask={mask!r} is not valid. Pass a pytree of bools or a function of the parameters: which "
            f"leaves weight decay touches. (AlphaAdam's own mask is masking={mask!r}.)"
        )


def checked(name: str, value: Any, example: str, owner: str = "AlphaAdam") -> Any:
    """A number that has been checked, or a schedule that checks what it returns wherever that is known."""
    if not callable(value):
        return check_nonnegative(name, value, example, owner)

    def schedule(count: jax.typing.ArrayLike) -> Any:
        result = value(count)
        if not _unknown(result):
            step = "count" if isinstance(count, jax.core.Tracer) else str(count)
            hyperparameters.check_nonnegative(f"{name}({step})", concrete(result), example, owner)
        return result

    return schedule


def _checked(check: Callable[..., None], name: str, value: Any, example: str, owner: str) -> Any:
    if not _unknown(value):
        check(name, concrete(value), example, owner)
    return _without_numpy(value)


def _unknown(value: Any) -> bool:
    """Whether this is a scalar whose value only the compiled program will know."""
    return isinstance(value, jax.core.Tracer) and value.ndim == 0


def concrete(value: Any) -> Any:
    """A 0-d array as the Python number it holds, anything else as it is."""
    if not isinstance(value, (jax.Array, np.ndarray)) or isinstance(value, jax.core.Tracer) or value.ndim != 0:
        return value
    number = value.item()
    return number if isinstance(number, (bool, int, float, complex)) else float(number)  # NumPy's bfloat16


def _without_numpy(value: Any) -> Any:
    """NumPy's numbers have dtypes and rules of their own, some of which JAX does not know."""
    return concrete(value) if isinstance(value, np.ndarray) else value


# Trees and states


def check_params(params: optax.Params) -> None:
    """Refuse what has no moments: complex parameters."""
    if not any(map(jnp.iscomplexobj, jax.tree.leaves(params))):
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if jnp.iscomplexobj(leaf):
            raise TypeError(
                f"AlphaAdam: {_named('the parameter', path)} is {jnp.result_type(leaf)}, which is not supported. "
                "Optimize its real and imaginary parts as two real leaves, for example with "
                "optax.contrib.split_real_and_imaginary."
            )


def check_state(state: Any, types: tuple[Any, ...]) -> None:
    """Check that this is a state of Adam's kind, of one step count."""
    if not isinstance(state, types):
        raise TypeError(
            f"AlphaAdam: the state is {_described(state)}, not {types[0].__name__}(count, mu, nu). {_REMEDY} Moments "
            "from elsewhere go there with optax.tree.set(state, count=..., mu=..., nu=...)."
        )
    if jnp.ndim(state.count) != 0:
        raise ValueError(
            f"AlphaAdam: the state's count has shape {jnp.shape(state.count)}, not (). A state of several members "
            "needs jax.vmap around update."
        )


def check_chain(state: Any, needed: tuple[tuple[str, ...], ...], types: tuple[Any, ...]) -> None:
    """Check that ``state`` is that of ``alphaadam`` or ``optax.adamw``, with the fields that each part needs."""
    if not (isinstance(state, tuple) and len(state) == len(needed) and isinstance(state[0], types)):
        raise TypeError(
            f"AlphaAdam: the state is {_described(state)}, not that of alphaadam or optax.adamw. {_REMEDY} Moments "
            "from elsewhere go there with optax.tree.set(state, count=..., mu=..., nu=...)."
        )
    for part, fields in zip(state, needed, strict=True):
        found = part
        for field in fields:
            if field not in getattr(found, "_fields", ()):  # every tuple has a method count
                raise TypeError(
                    f"AlphaAdam: a part of the state is {_described(part)}, without {'.'.join(fields)!r}: it was made "
                    "without the schedule or the mask that this optimizer has. Make a new state with init(params), "
                    "and put the old one's moments there with optax.tree.set(state, count=..., mu=..., nu=...)."
                )
            found = getattr(found, field)


def match_moments(updates: optax.Updates, mu: optax.Updates, nu: optax.Updates) -> tuple[Any, list, list, list]:
    """Flatten gradients and moments alike, and check that they belong together.

    Returns:
        The tree's structure, in which None is a leaf, and three lists: gradients, first and second moments.
    """
    gradients, treedef = jax.tree.flatten(updates, is_leaf=_is_none)
    gradients = [g if g is None or isinstance(g, jax.Array) else _as_array(g) for g in gradients]
    first = _flatten_like(treedef, updates, mu, "moment", "the state")
    second = _flatten_like(treedef, updates, nu, "moment", "the state")
    for index, (g, m, v) in enumerate(zip(gradients, first, second, strict=True)):
        if g is None:
            continue
        if not jnp.issubdtype(g.dtype, jnp.floating):
            raise TypeError(
                f"AlphaAdam: {_gradient(updates, index)} is {g.dtype}. Pass floating-point gradients; a leaf that is "
                "not to be optimized has None, or is left out with optax.masked."
                + (" Complex ones: optax.contrib.split_real_and_imaginary." if jnp.iscomplexobj(g) else "")
            )
        for moment in (m, v):
            if g.shape != jnp.shape(moment):
                raise ValueError(
                    f"AlphaAdam: {_gradient(updates, index)} has shape {g.shape}, its moment in the state "
                    f"{jnp.shape(moment)}. The state must come from init with the parameters that these gradients "
                    "are of, or from a checkpoint of them."
                )
    return treedef, gradients, first, second


def match_params(updates: optax.Updates, params: optax.Params, owner: str = "AlphaAdam") -> None:
    """Check that gradients and parameters belong together: NumPy's rules would broadcast what does not."""
    gradients, treedef = jax.tree.flatten(updates, is_leaf=_is_none)
    for index, (g, p) in enumerate(
        zip(gradients, _flatten_like(treedef, updates, params, "parameter", "the parameters", owner), strict=True)
    ):
        if g is not None and jnp.shape(g) != jnp.shape(p):
            raise ValueError(
                f"{owner}: {_gradient(updates, index)} has shape {jnp.shape(g)}, its parameter {jnp.shape(p)}. Pass "
                "the parameters of which these are the gradients."
            )


def _flatten_like(treedef: Any, updates: Any, other: Any, noun: str, where: str, owner: str = "AlphaAdam") -> list:
    """The subtrees of ``other`` at the leaves of ``updates``: arrays, unless the gradient is None."""
    try:
        leaves = treedef.flatten_up_to(other)
    except (ValueError, TypeError, KeyError):
        leaves = None
    if leaves is None or any(
        leaf is None or not jax.tree_util.all_leaves([leaf])
        for gradient, leaf in zip(jax.tree.leaves(updates, is_leaf=_is_none), leaves, strict=True)
        if gradient is not None
    ):
        ours, theirs = _paths(updates), _paths(other)
        missing = [f"{_at(path)} has a gradient and no {noun}" for path in ours if path not in theirs]
        missing += [f"{_at(path)} has a {noun} and no gradient" for path in theirs if path not in ours]
        shown = "; ".join(missing[:3]) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")
        if not missing:
            shown = f"the leaves are the same, their containers differ ({_containers(updates, other)})"
        raise ValueError(
            f"{owner}: the gradients do not match {where}: {shown}. Pass gradients in the tree of the parameters "
            "that init was given; None stands for a leaf without a gradient."
        )
    return leaves


def _containers(tree: Any, other: Any) -> str:
    """The types of the first two containers that differ."""
    nodes: list[Any] = [(jax.tree.structure(tree), jax.tree.structure(other))]
    while nodes:
        ours, theirs = nodes.pop()
        if ours.node_data() != theirs.node_data():
            names = [node.node_data()[0].__name__ if node.node_data() else "a leaf" for node in (ours, theirs)]
            return " and ".join(names) if names[0] != names[1] else f"two of {names[0]}"
        nodes += reversed(list(zip(ours.children(), theirs.children(), strict=True)))
    return "None"


def _as_array(leaf: Any) -> Any:
    """Python's and NumPy's numbers as arrays; float0, the gradient of an integer, is refused by its dtype."""
    return leaf if getattr(leaf, "dtype", None) == jax.dtypes.float0 else jnp.asarray(leaf)


def _is_none(leaf: Any) -> bool:
    return leaf is None


def _paths(tree: Any) -> dict[str, None]:
    """Paths of a tree's leaves, in its order."""
    return dict.fromkeys(jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree))


def _at(path: str) -> str:
    return path or "the only leaf"


def _gradient(updates: Any, index: int) -> str:
    path, _ = jax.tree_util.tree_leaves_with_path(updates, is_leaf=_is_none)[index]
    return _named("the gradient", path)


def _named(noun: str, path: Any) -> str:
    return f"{noun} of {jax.tree_util.keystr(path)}" if path else noun


def _described(state: Any) -> str:
    """The type of a state, or of the parts of a chain."""
    if type(state) is tuple:
        return "(" + ", ".join(type(part).__name__ for part in state) + ")"
    return type(state).__name__
