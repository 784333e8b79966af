"""Adapter for alphaadam.keras, on the backend that KERAS_BACKEND names."""

import importlib.metadata
from typing import Any

import keras
import numpy as np

import alphaadam
from alphaadam.keras import AlphaAdam
from suite.adapters import Observation


class Adapter:
    """AlphaAdam on Keras 3."""

    def versions(self) -> dict[str, str]:
        backend = keras.backend.backend()
        distribution = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(backend, (backend,))
        return {"alphaadam": alphaadam.__version__, "keras": keras.__version__, backend: _version(distribution)}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = dict(hyperparameters)
        given["learning_rate"] = given.pop("lr")
        given["beta_1"], given["beta_2"] = given.pop("beta1"), given.pop("beta2")
        given["epsilon"] = given.pop("eps")
        AlphaAdam(**given)
        self._arguments = given

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        keras.config.set_floatx(dtype)  # the learning rate is a variable of this type
        if keras.backend.backend() == "jax":
            import jax

            jax.config.update("jax_enable_x64", dtype == "float64")
        self._variables = [keras.Variable(array, dtype=dtype) for array in params]
        self._optimizer = AlphaAdam(**self._arguments, record_diagnostics=True)
        self._optimizer.build(self._variables)
        self._moments = [
            [variable for variable in self._optimizer.variables if variable.name.endswith(name)]
            for name in ("momentum", "velocity")
        ]
        if m is not None and v is not None:
            self._optimizer.iterations.assign(step)
            for variables, arrays in zip(self._moments, (m, v), strict=True):
                for variable, array in zip(variables, arrays, strict=True):
                    variable.assign(array)

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._optimizer.learning_rate = lr
        present = [
            (keras.ops.convert_to_tensor(gradient), variable)
            for gradient, variable in zip(gradients, self._variables, strict=True)
            if gradient is not None
        ]
        self._optimizer.apply(*map(list, zip(*present, strict=True)))
        diagnostics = [self._optimizer.diagnostics(variable) for variable in self._variables]
        return Observation(
            params=list(map(_array, self._variables)),
            m=list(map(_array, self._moments[0])),
            v=list(map(_array, self._moments[1])),
            mask=[_array(item.mask) for item in diagnostics],
            alpha=[float(_array(item.alpha)) for item in diagnostics],
        )


def _array(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable.value))


def _version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
