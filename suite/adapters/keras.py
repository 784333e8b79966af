"""Adapters for Keras 3 on the backend that KERAS_BACKEND names: alphaadam.keras, and Keras' own AdamW."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

import alphaadam
import alphaadam.keras
from suite.adapters import Observation, UnsupportedError

#: Names of the vectors -> names of Keras.
_NAMES = {
    "lr": "learning_rate",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "beta3": "beta_3",
    "eps": "epsilon",
    "adamw_beta1": "adamw_beta_1",
    "adamw_beta2": "adamw_beta_2",
    "adamw_eps": "adamw_epsilon",
}


def arguments(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters by their names in Keras."""
    return {_NAMES.get(name, name): value for name, value in hyperparameters.items()}


class _Keras:
    """What both have in common. Steps run eagerly: compiling each test would take ten times as long."""

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {
        "PerTensorStep": "Keras counts the steps of the optimizer",
        "LateParameter": "a Keras optimizer is built for all variables at once",
    }

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        return backend_versions()

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = arguments(hyperparameters)
        if given.pop("maximize"):
            raise UnsupportedError("Keras optimizers do not maximize")
        self._make(dict(given))
        self._arguments = given

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        if dtype.startswith("complex"):
            raise UnsupportedError("complex variables are refused")
        set_floatx(dtype)
        self._dtype = dtype
        self._build(params)
        if m is not None:
            self._optimizer.iterations.assign(step)
            for variables, arrays in zip(self._moments, (m, v or []), strict=True):
                for variable, array in zip(variables, arrays, strict=True):
                    variable.assign(tensor_of(array, dtype))

    def _build(self, params: list[np.ndarray]) -> None:
        """Make variables and an optimizer without history."""
        self._variables = [keras.Variable(tensor_of(array, self._dtype), dtype=self._dtype) for array in params]
        self._optimizer = self._make(dict(self._arguments))
        self._optimizer.build(self._variables)
        self._moments = [
            [variable for variable in self._optimizer.variables if variable.name.endswith(name)]
            for name in ("momentum", "velocity")
        ]

    def add(self, params: list[np.ndarray]) -> None:
        raise UnsupportedError(self.skips["LateParameter"])

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._optimizer.learning_rate = lr
        present = [
            (tensor_of(gradient, self._dtype), variable)
            for gradient, variable in zip(gradients, self._variables, strict=True)
            if gradient is not None
        ]
        self._took_part = {id(variable) for _, variable in present}
        self._apply(*map(list, zip(*present, strict=True)))
        return Observation(
            params=list(map(array_of, self._variables)),
            m=list(map(array_of, self._moments[0])),
            v=list(map(array_of, self._moments[1])),
        )

    def _apply(self, gradients: list[Any], variables: list[keras.Variable]) -> None:
        self._optimizer.apply(gradients, variables)


class _Ours(_Keras):
    """What alphaadam.keras has beyond them: it shows what it decided."""

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        seen = super().step(gradients, lr)
        diagnostics = [
            self._optimizer.diagnostics(variable) if id(variable) in self._took_part else None
            for variable in self._variables
        ]
        mask = [item and array_of(item.mask) for item in diagnostics]
        return Observation(
            seen.params, seen.m, seen.v, mask, [item and float(array_of(item.alpha)) for item in diagnostics]
        )


class AlphaAdam(_Ours):
    """alphaadam.keras.AlphaAdam; on PyTorch its kernels."""

    optimizer = "AlphaAdam"

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        return alphaadam.keras.AlphaAdam(**arguments, record_diagnostics=True)


class CautiousAdamW(AlphaAdam):
    """Cautious AdamW as a setting of alphaadam.keras.AlphaAdam."""

    optimizer = "CautiousAdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "sync", "alpha": "count"}

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        if arguments.pop("eps_placement") != "after-bias-correction":
            raise UnsupportedError("AlphaAdam adds eps after bias correction")
        return super()._make({**arguments, **self.setting})


class AsAdamW(CautiousAdamW):
    """AdamW as a setting of alphaadam.keras.AlphaAdam."""

    optimizer = "AdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "none", "alpha": 1.0}


class _ByUpdateStep(alphaadam.keras.AlphaAdam):
    """The optimizer with Keras' own loop over its ``update_step``."""

    _backend_update_step = keras.optimizers.Optimizer._backend_update_step


class UpdateStep(AlphaAdam):
    """Its step in ``keras.ops``, on PyTorch too, where it has a faster one."""

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        return _ByUpdateStep(**arguments, record_diagnostics=True)


class Compiled(AlphaAdam):
    """The step as XLA compiles it: once for each group of tests, shapes and choice of variables that take part."""

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        super().construct(hyperparameters)
        self._steps: dict[Any, tuple[CompiledStep, Any]] = {}

    def _build(self, params: list[np.ndarray]) -> None:
        key = (self._dtype, *(array.shape for array in params))
        if key not in self._steps:
            super()._build(params)
            self._steps[key] = (CompiledStep(self._optimizer, self._variables), self._moments)
        self._compiled, self._moments = self._steps[key]
        self._compiled.forget()
        self._optimizer, self._variables = self._compiled.optimizer, self._compiled.variables
        for variable, array in zip(self._variables, params, strict=True):
            variable.assign(tensor_of(array, self._dtype))

    def _apply(self, gradients: list[Any], variables: list[keras.Variable]) -> None:
        self._compiled(gradients, variables)


class CompiledStep:
    """The step of a built optimizer as XLA compiles it, once for each choice of variables that take part.

    Args:
        optimizer: The optimizer, without history.
        variables: What it was built for.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> None:
        self.optimizer, self.variables = optimizer, variables
        self._fresh = [array_of(variable) for variable in optimizer.variables]
        self._compiled: dict[tuple[str, ...], Callable[[list[Any]], None]] = {}

    def __call__(self, gradients: list[Any], variables: list[keras.Variable]) -> None:
        """Take a step, as ``optimizer.apply`` does."""
        taking_part = tuple(variable.path for variable in variables)
        if taking_part not in self._compiled:
            self._compiled[taking_part] = _compiled(self.optimizer, variables)
        self._compiled[taking_part](gradients)

    def forget(self) -> None:
        """Give the optimizer the state that it was built with."""
        for variable, value in zip(self.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)


def _compiled(optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> Callable[[list[Any]], None]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.function(lambda gradients: optimizer.apply(gradients, variables), jit_compile=True)
    import jax

    tracked = [*variables, *optimizer.variables]

    @jax.jit
    def update(values: list[Any], gradients: list[Any]) -> list[Any]:
        with keras.StatelessScope(state_mapping=list(zip(tracked, values, strict=True))) as scope:
            optimizer.apply(gradients, variables)
        return [scope.get_current_value(variable) for variable in tracked]

    def step(gradients: list[Any]) -> None:
        values = update([variable.value for variable in tracked], gradients)
        for variable, value in zip(tracked, values, strict=True):
            variable.assign(value)

    return step


class AlphaMaskLion(_Ours):
    """alphaadam.keras.AlphaMask around keras.optimizers.Lion."""

    optimizer = "AlphaMaskLion"
    inner: ClassVar[type[keras.optimizers.Optimizer]] = keras.optimizers.Lion

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        mask = {name: arguments.pop(name) for name in ("masking", "alpha", "alpha_max")}
        return alphaadam.keras.AlphaMask(self.inner(**arguments), **mask, record_diagnostics=True)


class AlphaMaskSGD(AlphaMaskLion):
    """alphaadam.keras.AlphaMask around keras.optimizers.SGD, whose velocity is minus the rate times the momentum."""

    optimizer = "AlphaMaskSGD"
    inner = keras.optimizers.SGD

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        velocity = m and [(-self._arguments["learning_rate"] * array).astype(array.dtype) for array in m]
        super().load(dtype, params, velocity, v, step)

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        return dataclasses.replace(super().step(gradients, lr), m=None)


class AdamW(_Keras):
    """keras.optimizers.AdamW, whose eps is added before bias correction whatever the vectors say."""

    optimizer = "AdamW"

    def versions(self) -> dict[str, str]:
        return {name: version for name, version in super().versions().items() if name != "alphaadam"}

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        del arguments["eps_placement"]
        return keras.optimizers.AdamW(**arguments)


def set_floatx(dtype: str) -> None:
    """Make learning rates, which are variables, of this type; beside half precision they are float32, as in Keras."""
    keras.config.set_floatx("float64" if dtype == "float64" else "float32")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", dtype == "float64")


def backend_versions() -> dict[str, str]:
    """Of Keras, its backend and this package."""
    backend = keras.backend.backend()
    distribution = {"tensorflow": ("tensorflow", "tensorflow-cpu")}.get(backend, (backend,))
    return {"alphaadam": alphaadam.__version__, "keras": keras.__version__, backend: _version(distribution)}


def tensor_of(array: np.ndarray, dtype: str) -> Any:
    """A tensor of the backend. PyTorch takes no bfloat16 from NumPy: half precision goes through float32, exactly."""
    if dtype in ("bfloat16", "float16"):
        return keras.ops.cast(keras.ops.convert_to_tensor(array.astype(np.float32)), dtype)
    return keras.ops.convert_to_tensor(array)


def array_of(variable: Any) -> np.ndarray:
    """A variable's value."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    if dtype == "bfloat16":
        import ml_dtypes

        wide = keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))
        return wide.astype(ml_dtypes.bfloat16)
    return np.array(keras.ops.convert_to_numpy(variable.value))


def _version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
