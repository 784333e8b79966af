"""Adapter for alphaadam.optax, under ``jax.jit`` as it is used."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax

import alphaadam
from alphaadam.optax import alphaadam as make_alphaadam
from suite.adapters import Observation


class Adapter:
    """AlphaAdam on Optax. The learning rate is an argument of the jitted step, so one compilation serves a schedule."""

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "optax": optax.__version__, "jax": jax.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = dict(hyperparameters)
        lr = given.pop("lr")
        given["b1"], given["b2"] = given.pop("beta1"), given.pop("beta2")
        make_alphaadam(lr, **given)
        self._make: Any = partial(make_alphaadam, **given, record_diagnostics=True)
        self._step = jax.jit(self._apply)  # compiled once per group of tests and shapes

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        # float32 is checked in JAX's usual mode, where 64 bits do not exist.
        jax.config.update("jax_enable_x64", dtype == "float64")
        self._params = [jax.numpy.asarray(array) for array in params]
        self._state = self._make(0.0).init(self._params)
        if m is not None and v is not None:
            as_arrays = [jax.numpy.asarray(array) for array in m], [jax.numpy.asarray(array) for array in v]
            self._state = optax.tree.set(self._state, count=np.int32(step), mu=as_arrays[0], nu=as_arrays[1])

    def _apply(self, gradients: Any, state: Any, params: Any, lr: Any) -> tuple[Any, Any]:
        updates, state = self._make(lr).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._params, self._state = self._step(gradients, self._state, self._params, lr)
        read = partial(optax.tree.get, self._state)
        return Observation(
            params=list(map(np.asarray, self._params)),
            m=list(map(np.asarray, read("mu"))),
            v=list(map(np.asarray, read("nu"))),
            mask=list(map(np.asarray, read("mask"))),
            alpha=list(map(float, read("alpha"))),
        )
