"""Adapters for Optax: alphaadam.optax, and Optax's own AdamW, under ``jax.jit`` as they are used, and eagerly."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
import optax

import alphaadam
import alphaadam.optax
from suite.adapters import Observation, UnsupportedError


class _Optax:
    """What they have in common. The learning rate is an argument of the jitted step, so a schedule compiles once."""

    optimizer: ClassVar[str]
    moments: ClassVar[Mapping[str, str]] = {"m": "mu", "v": "nu"}
    skips: ClassVar[Mapping[str, str]] = {
        "PerTensorStep": "Optax counts the steps of the optimizer",
        "SharedStep": "Optax's own optimizers need a gradient for every leaf",
        "LateParameter": "an Optax state is made for all leaves at once",
    }

    def __init__(self) -> None:
        self._compiled: dict[str, Callable[..., tuple[Any, Any]]] = {}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "optax": optax.__version__, "jax": jax.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = dict(hyperparameters)
        lr = given.pop("lr")
        if "beta1" in given:
            given["b1"], given["b2"] = given.pop("beta1"), given.pop("beta2")
        if given.pop("maximize"):
            raise UnsupportedError("Optax maximizes by a transformation of its own")
        self._make(lr, dict(given))
        self._hyperparameters = given
        self._step = self._steps(given)

    def _steps(self, hyperparameters: dict[str, Any]) -> Callable[..., tuple[Any, Any]]:
        """The jitted step with these hyperparameters, the same each time: the tests of a group compile it once."""
        step = jax.jit(functools.partial(self._apply, hyperparameters))
        return self._compiled.setdefault(repr(hyperparameters), step)

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
        if m is not None:
            if optax.tree.get(self._state, "count") is not None:
                self._state = optax.tree.set(self._state, count=np.int32(step))
            for moment, values in {"m": m, "v": v}.items():
                if values is not None:
                    arrays = list(map(jax.numpy.asarray, values))
                    self._state = optax.tree.set(self._state, **{self.moments[moment]: arrays})

    def add(self, params: list[np.ndarray]) -> None:
        raise UnsupportedError(self.skips["LateParameter"])

    def _apply(
        self, hyperparameters: dict[str, Any], gradients: Any, state: Any, params: Any, lr: Any
    ) -> tuple[Any, Any]:
        updates, state = self._make(lr, dict(hyperparameters)).update(gradients, state, params)
        # optax.apply_updates takes no None, which stands for a leaf without a gradient.
        moved = [p if u is None else optax.apply_updates(p, u) for p, u in zip(params, updates, strict=True)]
        return moved, state

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._params, self._state = self._step(gradients, self._state, self._params, lr)
        return Observation(list(map(np.asarray, self._params)), self._moments("m"), self._moments("v"))

    def _moments(self, moment: str) -> list[np.ndarray] | None:
        name = self.moments.get(moment)
        return None if name is None else list(map(np.asarray, optax.tree.get(self._state, name)))


class _Ours(_Optax):
    """What alphaadam.optax has beyond it: it shows what it decided."""

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        seen = super().step(gradients, lr)
        absent = [gradient is None for gradient in gradients]
        masks, alphas = (optax.tree.get(self._state, name) for name in ("mask", "alpha"))
        mask = [None if skip else np.asarray(value) for skip, value in zip(absent, masks, strict=True)]
        alpha = [None if skip else float(value) for skip, value in zip(absent, alphas, strict=True)]
        return Observation(seen.params, seen.m, seen.v, mask, alpha)


class AlphaAdam(_Ours):
    """alphaadam.optax.alphaadam."""

    optimizer = "AlphaAdam"
    skips: ClassVar[Mapping[str, str]] = {flag: why for flag, why in _Optax.skips.items() if flag != "SharedStep"}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return alphaadam.optax.alphaadam(lr, **hyperparameters, record_diagnostics=True)


class CautiousAdamW(AlphaAdam):
    """Cautious AdamW as a setting of alphaadam.optax.alphaadam."""

    optimizer = "CautiousAdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "sync", "alpha": "count"}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        if hyperparameters.pop("eps_placement") != "after-bias-correction":
            raise UnsupportedError("alphaadam adds eps after bias correction")
        return super()._make(lr, {**hyperparameters, **self.setting})


class AsAdamW(CautiousAdamW):
    """AdamW as a setting of alphaadam.optax.alphaadam."""

    optimizer = "AdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "none", "alpha": 1.0}


class Eager(AlphaAdam):
    """alphaadam.optax.alphaadam operation by operation: the rule as devices other than CPUs compile it."""

    def _steps(self, hyperparameters: dict[str, Any]) -> Callable[..., tuple[Any, Any]]:
        return functools.partial(self._apply, hyperparameters)


class AlphaMaskSGD(_Ours):
    """alphaadam.optax.alpha_mask around optax.trace, a direction: decay and learning rate come after it."""

    optimizer = "AlphaMaskSGD"
    moments: ClassVar[Mapping[str, str]] = {"m": "trace"}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        inner = optax.trace(hyperparameters.pop("momentum"), hyperparameters.pop("nesterov"))
        weight_decay = hyperparameters.pop("weight_decay")
        if not 0 <= weight_decay < math.inf:
            raise UnsupportedError("weight decay is optax.add_decayed_weights', which refuses no number")
        return optax.chain(
            alphaadam.optax.alpha_mask(inner, **hyperparameters, record_diagnostics=True),
            optax.add_decayed_weights(weight_decay),
            optax.scale_by_learning_rate(lr),
        )


class AlphaMaskLion(_Ours):
    """alphaadam.optax.alpha_mask around optax.lion, a whole optimizer with decay and learning rate inside."""

    optimizer = "AlphaMaskLion"
    moments: ClassVar[Mapping[str, str]] = {"m": "mu"}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        own = {name: hyperparameters.pop(name) for name in ("b1", "b2", "weight_decay")}
        return alphaadam.optax.alpha_mask(optax.lion(lr, **own), **hyperparameters, record_diagnostics=True)


class AdamW(_Optax):
    """optax.adamw, whose eps is added after bias correction whatever the vectors say."""

    optimizer = "AdamW"

    def versions(self) -> dict[str, str]:
        return {"optax": optax.__version__, "jax": jax.__version__}

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        del hyperparameters["eps_placement"]
        return optax.adamw(lr, **hyperparameters)
