"""Adapters for the baselines of alphaadam.keras, on the backend that KERAS_BACKEND names, eagerly."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from alphaadam.keras import AlphaMask, baselines
from suite.adapters import Observation, UnsupportedError
from suite.adapters.keras import CompiledStep, arguments, array_of, backend_versions, set_floatx, tensor_of


class Baseline:
    """What they have in common: a class of the optimizer's name, and variables that are read back.

    On JAX steps are compiled, as Keras' trainer compiles them, once for all tests with the same hyperparameters and
    shapes: outside of a compiled step XLA compiles each branch and loop of a rule anew whenever it is met.
    """

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self._steps: dict[Any, CompiledStep] = {}

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        return getattr(baselines, self.optimizer)(**arguments)

    def versions(self) -> dict[str, str]:
        return backend_versions()

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        self._arguments = arguments(hyperparameters)
        self._make(dict(self._arguments))

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        set_floatx(dtype)
        self._dtype = dtype
        key = (repr(self._arguments), dtype, *(array.shape for array in params))
        self._compiled = self._steps.get(key)
        if self._compiled is not None:
            self._compiled.forget()
            self._optimizer, self._variables = self._compiled.optimizer, self._compiled.variables
            for variable, array in zip(self._variables, params, strict=True):
                variable.assign(tensor_of(array, dtype))
            return
        self._variables = [
            keras.Variable(tensor_of(array, dtype), dtype=dtype, name=f"tensor_{index}")
            for index, array in enumerate(params)
        ]
        self._optimizer = self._make(dict(self._arguments))
        self._optimizer.build(self._variables)
        if keras.backend.backend() == "jax":
            self._compiled = self._steps[key] = CompiledStep(self._optimizer, self._variables)

    def add(self, params: list[np.ndarray]) -> None:
        raise UnsupportedError("a Keras optimizer is built for all variables at once")

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._optimizer.learning_rate = lr
        present = [
            (tensor_of(gradient, self._dtype), variable)
            for gradient, variable in zip(gradients, self._variables, strict=True)
            if gradient is not None
        ]
        apply = self._compiled or self._optimizer.apply
        apply(*map(list, zip(*present, strict=True)))
        return Observation([array_of(variable) for variable in self._variables])


class EXAdam(Baseline):
    """alphaadam.keras.baselines.EXAdam."""

    optimizer = "EXAdam"


class Conda(Baseline):
    """alphaadam.keras.baselines.Conda."""

    optimizer = "Conda"


class MGUP(Baseline):
    """alphaadam.keras.baselines.MGUP."""

    optimizer = "MGUP"


class Adam8bit(Baseline):
    """alphaadam.keras.baselines.Adam8bit."""

    optimizer = "Adam8bit"


class LDAdam(Baseline):
    """alphaadam.keras.baselines.LDAdam."""

    optimizer = "LDAdam"


class MicroAdam(Baseline):
    """alphaadam.keras.baselines.MicroAdam."""

    optimizer = "MicroAdam"


class GaLore(Baseline):
    """alphaadam.keras.baselines.GaLore."""

    optimizer = "GaLore"


class ROOT(Baseline):
    """alphaadam.keras.baselines.ROOT."""

    optimizer = "ROOT"


class Sophia(Baseline):
    """alphaadam.keras.baselines.Sophia."""

    optimizer = "Sophia"

    def step(
        self, gradients: list[np.ndarray | None], lr: float, hessian: list[np.ndarray | None] | None = None
    ) -> Observation:
        if hessian is not None:
            self._optimizer.update_hessian([None if x is None else tensor_of(x, self._dtype) for x in hessian])
        return super().step(gradients, lr)


class AdamMini(Baseline):
    """alphaadam.keras.baselines.AdamMini, whose partitions go by the names of variables."""

    optimizer = "AdamMini"

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        blocks = arguments["blocks"]
        named = blocks and {f"^tensor_{index}$": own for index, own in enumerate(blocks)}
        return baselines.AdamMini(**{**arguments, "blocks": named})


class Adan(Baseline):
    """alphaadam.keras.baselines.Adan."""

    optimizer = "Adan"


class AlphaMaskAdan(Baseline):
    """alphaadam.keras.AlphaMask around alphaadam.keras.baselines.Adan."""

    optimizer = "AlphaMaskAdan"

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        mask = {name: arguments.pop(name) for name in ("masking", "alpha", "alpha_max")}
        return AlphaMask(baselines.Adan(**arguments), **mask)


class OneBitAdam(Baseline):
    """alphaadam.keras.baselines.OneBitAdam."""

    optimizer = "OneBitAdam"
    skips: ClassVar[Mapping[str, str]] = {"Workers": "Keras hands an optimizer gradients that are averaged already"}
