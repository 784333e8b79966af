"""Adapters for Optax: alphaadam.optax, and Optax's own AdamW, under ``jax.jit`` as they are used."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np
import optax

import alphaadam
import alphaadam.optax
from suite.adapters import Observation, UnsupportedError


class _Optax:
    """What both have in common. The learning rate is an argument of the jitted step, so a schedule compiles once."""

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {
        "PerTensorStep": "Optax counts the steps of the optimizer",
        "SharedStep": "an Optax update has a gradient for every leaf",
        "LateParameter": "an Optax state is made for all leaves at once",
    }

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "optax": optax.__version__, "jax": jax.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = dict(hyperparameters)
        lr = given.pop("lr")
        given["b1"], given["b2"] = given.pop("beta1"), given.pop("beta2")
        if given.pop("maximize"):
            raise UnsupportedError("Optax maximizes by a transformation of its own")
        self._make(lr, dict(given))
        self._hyperparameters = given
        self._step = jax.jit(self._apply)  # compiled once per group of tests and shapes

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        if dtype.startswith("complex"):
            raise UnsupportedError(
                "complex parameters are refused, with a pointer to optax.contrib.split_real_and_imaginary"
            )
        # float32 is checked in JAX's usual mode, where 64 bits do not exist.
        jax.config.update("jax_enable_x64", dtype == "float64")
        self._params = list(map(jax.numpy.asarray, params))
        self._state = self._make(0.0, dict(self._hyperparameters)).init(self._params)
        if m is not None and v is not None:
            mu, nu = list(map(jax.numpy.asarray, m)), list(map(jax.numpy.asarray, v))
            self._state = optax.tree.set(self._state, count=np.int32(step), mu=mu, nu=nu)

    def add(self, params: list[np.ndarray]) -> None:
        raise UnsupportedError(self.skips["LateParameter"])

    def _apply(self, gradients: Any, state: Any, params: Any, lr: Any) -> tuple[Any, Any]:
        updates, state = self._make(lr, dict(self._hyperparameters)).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._params, self._state = self._step(gradients, self._state, self._params, lr)
        return Observation(
            params=list(map(np.asarray, self._params)),
            m=list(map(np.asarray, optax.tree.get(self._state, "mu"))),
            v=list(map(np.asarray, optax.tree.get(self._state, "nu"))),
        )


class AlphaAdam(_Optax):
    """alphaadam.optax.alphaadam."""

    optimizer = "AlphaAdam"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return alphaadam.optax.alphaadam(lr, **hyperparameters, record_diagnostics=True)

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        seen = super().step(gradients, lr)
        mask = list(map(np.asarray, optax.tree.get(self._state, "mask")))
        return Observation(seen.params, seen.m, seen.v, mask, list(map(float, optax.tree.get(self._state, "alpha"))))


class AdamW(_Optax):
    """optax.adamw, whose eps is added after bias correction whatever the vectors say."""

    optimizer = "AdamW"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        del hyperparameters["eps_placement"]
        return optax.adamw(lr, **hyperparameters)
