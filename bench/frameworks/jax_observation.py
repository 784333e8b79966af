"""What a training step on JAX does, in figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Figures = tuple[jax.Array, dict[str, jax.Array], dict[str, jax.Array]]
"""Gradient norm; by parameter name alpha and the number of coordinates that the mask keeps, empty without a mask."""


def figures(gradients: Any, alphas: Mapping[str, jax.Array], masks: Mapping[str, jax.Array]) -> Figures:
    """In a traced function: what is to be known of a step."""
    # A sum of ones in float32 would end at 2^24.
    kept = {name: jnp.sum(mask, dtype=jnp.int32) for name, mask in masks.items()}
    return global_norm(gradients), dict(alphas), kept


def global_norm(tree: Any) -> jax.Array:
    """Of all arrays of a pytree as one."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))


@jax.jit
def change_norm(before: Any, after: Any) -> jax.Array:
    """The global norm of what was added."""
    return global_norm(jax.tree.map(jnp.subtract, after, before))


class Observer:
    """Observes training steps beside them, by a program of its own, so that the step stays the program that it is.

    Its gradients may differ from the step's by rounding. An observed step takes about twice the time, and the memory of
    the parameters once more.

    Args:
        look: Makes `Figures` of what a step begins with; it is compiled here.
        sizes: Number of coordinates by parameter name.
    """

    def __init__(self, look: Callable[..., Figures], sizes: Mapping[str, int]) -> None:
        self._look = jax.jit(look)
        self._sizes = sizes
        self._observation: dict[str, Any] | None = None

    def observe(self, step: Callable[[], float], parameters: Callable[[], Any], *begin: Any) -> float:
        """Takes a step and notes what it does.

        Args:
            step: Takes it, and may take the memory of the parameters with it.
            parameters: Returns them as they are.
            begin: Arguments of `look`.

        Returns:
            What `step` does.
        """
        gradient_norm, alphas, kept = jax.device_get(self._look(*begin))
        before = jax.tree.map(jnp.copy, parameters())
        loss = step()
        self._observation = {
            "gradientNorm": float(gradient_norm),
            "updateNorm": float(change_norm(before, parameters())),
            "tensors": {
                name: {
                    "maskFraction": int(kept[name]) / size if kept else None,
                    "alpha": float(alphas[name]) if kept else None,
                }
                for name, size in self._sizes.items()
            },
        }
        return loss

    def observation(self) -> dict[str, Any]:
        """What the last observed step did; see `Training.observation` of the frameworks.

        Raises:
            RuntimeError: No step was observed.
        """
        if self._observation is None:
            raise RuntimeError("no step was observed; call step(tokens, observe=True) first")
        return self._observation
