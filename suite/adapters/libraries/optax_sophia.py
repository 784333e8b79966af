"""Sophia of optax.contrib."""

from typing import Any

import numpy as np
import optax

from suite.adapters import Observation
from suite.adapters.libraries.optax_library import OptaxLibrary


class Sophia(OptaxLibrary):
    """optax.contrib.sophia, whose estimator is given the estimates.

    It estimates in steps of fixed numbers, here in every one: where the vectors have no estimate, it is given the
    average itself, which leaves it as it is.
    """

    optimizer = "Sophia"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        def given(updates: Any, state: Any, params: Any = None, *, estimates: Any) -> tuple[Any, Any]:
            return estimates, state

        estimator = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), given)
        return optax.contrib.sophia(lr, update_interval=1, hessian_diagonal_fn=estimator, **hyperparameters)

    def step(self, gradients: list[np.ndarray | None], lr: float, **others: list[np.ndarray | None]) -> Observation:
        averages = optax.tree.get(self._state, "nu")
        known = others.get("hessian", [None] * len(averages))
        estimates: list[np.ndarray | None] = [
            np.asarray(nu) if x is None else x for x, nu in zip(known, averages, strict=True)
        ]
        return super().step(gradients, lr, estimates=estimates)
