"""Adapters for the baselines of alphaadam.optax, under ``jax.jit`` as they are used."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
import optax

import alphaadam.optax
from alphaadam.optax import baselines
from suite.adapters import Observation, UnsupportedError

#: Names of the vectors -> names of Optax.
_NAMES = {"beta1": "b1", "beta2": "b2", "beta3": "b3", "adamw_beta1": "adamw_b1", "adamw_beta2": "adamw_b2"}


def arguments(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters by their names in Optax."""
    return {_NAMES.get(name, name): value for name, value in hyperparameters.items()}


class Baseline:
    """What they have in common: a function of the optimizer's name in small letters. The learning rate is an argument
    of the jitted step, so a schedule compiles once."""

    optimizer: ClassVar[str]
    function: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self._compiled: dict[str, Callable[..., tuple[Any, Any]]] = {}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return getattr(baselines, self.function)(lr, **hyperparameters)

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "optax": optax.__version__, "jax": jax.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = arguments(hyperparameters)
        lr = given.pop("lr")
        self._make(lr, dict(given))
        self._hyperparameters = given
        # The same step each time for the same hyperparameters: the tests of a group compile it once.
        self._step = self._compiled.setdefault(repr(given), jax.jit(functools.partial(self._apply, given)))

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        jax.config.update("jax_enable_x64", dtype == "float64")
        self._params = list(map(jax.numpy.asarray, params))
        self._state = self._make(0.0, dict(self._hyperparameters)).init(self._params)

    def add(self, params: list[np.ndarray]) -> None:
        raise UnsupportedError("an Optax state is made for all leaves at once")

    def _apply(
        self, hyperparameters: dict[str, Any], gradients: Any, state: Any, params: Any, lr: Any, others: Any
    ) -> tuple[Any, Any]:
        updates, state = self._make(lr, dict(hyperparameters)).update(gradients, state, params, **others)
        moved = [p if u is None else optax.apply_updates(p, u) for p, u in zip(params, updates, strict=True)]
        return moved, state

    def step(self, gradients: list[np.ndarray | None], lr: float, **others: list[np.ndarray | None]) -> Observation:
        self._params, self._state = self._step(gradients, self._state, self._params, lr, others)
        return Observation(list(map(np.asarray, self._params)))


class EXAdam(Baseline):
    """alphaadam.optax.baselines.exadam."""

    optimizer = "EXAdam"
    function = "exadam"


class Conda(Baseline):
    """alphaadam.optax.baselines.conda."""

    optimizer = "Conda"
    function = "conda"


class MGUP(Baseline):
    """alphaadam.optax.baselines.mgup."""

    optimizer = "MGUP"
    function = "mgup"


class Adam8bit(Baseline):
    """alphaadam.optax.baselines.adam_8bit."""

    optimizer = "Adam8bit"
    function = "adam_8bit"


class LDAdam(Baseline):
    """alphaadam.optax.baselines.ldadam."""

    optimizer = "LDAdam"
    function = "ldadam"


class MicroAdam(Baseline):
    """alphaadam.optax.baselines.microadam."""

    optimizer = "MicroAdam"
    function = "microadam"


class GaLore(Baseline):
    """alphaadam.optax.baselines.galore."""

    optimizer = "GaLore"
    function = "galore"


class ROOT(Baseline):
    """alphaadam.optax.baselines.root."""

    optimizer = "ROOT"
    function = "root"


class Sophia(Baseline):
    """alphaadam.optax.baselines.sophia."""

    optimizer = "Sophia"
    function = "sophia"


class AdamMini(Baseline):
    """alphaadam.optax.baselines.adam_mini."""

    optimizer = "AdamMini"
    function = "adam_mini"


class OneBitAdam(Baseline):
    """alphaadam.optax.baselines.one_bit_adam."""

    optimizer = "OneBitAdam"
    function = "one_bit_adam"
    skips: ClassVar[Mapping[str, str]] = {"Workers": "one device is one worker; the package's tests run several"}


class Adan(Baseline):
    """alphaadam.optax.baselines.adan."""

    optimizer = "Adan"
    function = "adan"


class AlphaMaskAdan(Baseline):
    """alphaadam.optax.alpha_mask around alphaadam.optax.baselines.adan."""

    optimizer = "AlphaMaskAdan"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        mask = {name: hyperparameters.pop(name) for name in ("masking", "alpha", "alpha_max")}
        return alphaadam.optax.alpha_mask(baselines.adan(lr, **hyperparameters, no_prox=True), **mask)
