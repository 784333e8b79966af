"""Sophia's estimates of the curvature while a model trains, in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax

from bench.names import load_baseline
from bench.settings import CURVATURE, estimates_every, settings_of
from bench.tasks import Task


def with_estimates(
    transformation: optax.GradientTransformation, every: int, estimates: Callable[[jax.Array], Any]
) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """An update that is given estimates of the Hessian's diagonal in each so-manieth step, beginning with the first.

    Args:
        transformation: What takes them as ``hessian``.
        every: From how many steps to the next.
        estimates: Makes them in the step of a number from 0, which is traced; computed only when they are due.
    """

    def update(gradients: Any, state: Any, parameters: Any) -> tuple[Any, Any]:
        count = optax.tree.get(state, "count")
        taking: Any = optax.with_extra_args_support(transformation).update
        return jax.lax.cond(
            count % every == 0,
            lambda: taking(gradients, state, parameters, hessian=estimates(count)),
            lambda: taking(gradients, state, parameters),
        )

    return update


def estimator_of(optimizer: str, task: Task) -> tuple[int, Callable[..., Any]]:
    """From how many steps to the next an optimizer wants estimates, 0 for never, and what makes them.

    Returns:
        The number; and a function of a function from parameters to logits, of parameters, and of the number of the
        step, from which and the task's seed the random numbers come.
    """
    every = estimates_every(optimizer, task)
    if not every:
        return 0, lambda *arguments: None
    estimate = load_baseline("optax", settings_of(optimizer, task)[CURVATURE]["estimator"])

    def of_step(logits: Callable[[Any], jax.Array], parameters: Any, count: jax.Array) -> Any:
        return estimate(logits, parameters, jax.random.fold_in(jax.random.key(task.seed), count))

    return every, of_step
