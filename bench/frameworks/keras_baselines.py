"""The optimizers that AlphaAdam is compared with, in Keras: ours, and those of Keras that are no drop-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import keras

from alphaadam.keras import AlphaMask
from bench.names import BASELINES, load_baseline

Factory = Callable[..., keras.optimizers.Optimizer]
"""Takes a learning rate or schedule, weight decay, settings in the names of `bench.settings`, paths of the matrices
that the optimizer leaves to AdamW, and further arguments of every Keras optimizer. Those in `MASKED_BASELINES` also
take ``record_diagnostics``."""


def _ours(
    name: str, rate: Any, weight_decay: float, settings: Mapping[str, Any], left: Collection[str], **kwargs: Any
) -> keras.optimizers.Optimizer:
    given = arguments(settings)
    if "adamw_beta_1" in given or name == "Adam8bit":
        given["exclude_layers"] = [pattern_of(path) for path in left]
    return load_baseline("keras", name)(rate, weight_decay=weight_decay, **given, **kwargs)


def _muon(
    rate: Any, weight_decay: float, settings: Mapping[str, Any], left: Collection[str], **kwargs: Any
) -> keras.optimizers.Optimizer:
    """Keras' own, whose AdamW has Keras' epsilon, as the one it is compared with.

    Its update has the root mean square 0.2, about that of AdamW's, so that both have the same learning rate.
    """
    given = arguments(settings)
    return keras.optimizers.Muon(
        rate,
        momentum=given["momentum"],
        ns_steps=given["ns_steps"],
        rms_rate=given["rms"],
        weight_decay=weight_decay,
        exclude_layers=[pattern_of(path) for path in left],
        adam_beta_1=given["adamw_beta_1"],
        adam_beta_2=given["adamw_beta_2"],
        epsilon=given["adamw_epsilon"],
        adam_weight_decay=weight_decay,
        **kwargs,
    )


def pattern_of(path: str) -> str:
    """A regular expression that finds this path and no other."""
    return f"^{re.escape(path)}$"


def _masked(inner: Callable[..., keras.optimizers.Optimizer]) -> Factory:
    """AlphaAdam's mask and alpha around an optimizer, whose clipping, decay and learning rate it takes over."""

    def made(
        rate: Any,
        weight_decay: float,
        settings: Mapping[str, Any],
        left: Collection[str],
        record_diagnostics: bool = False,
        **kwargs: Any,
    ) -> AlphaMask:
        optimizer = inner(rate, weight_decay=weight_decay, **arguments(settings), **kwargs)
        return AlphaMask(optimizer, record_diagnostics=record_diagnostics)

    return made


MASKED_BASELINES: dict[str, Factory] = {
    "alphamask-sgd": _masked(keras.optimizers.SGD),
    "alphamask-lion": _masked(keras.optimizers.Lion),
    "alphamask-adan": _masked(lambda *args, **kwargs: load_baseline("keras", "Adan")(*args, **kwargs)),
}

BASELINE_OPTIMIZERS: dict[str, Factory] = {
    **{optimizer: partial(_ours, name) for optimizer, name in BASELINES.items()},
    "muon": _muon,
    **MASKED_BASELINES,
}


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in the words of Keras: "beta1" becomes "beta_1", and "eps" "epsilon"."""
    renamed = {name: re.sub(r"beta(\d)", r"beta_\1", name) for name in settings}
    return {re.sub(r"(^|_)eps$", r"\1epsilon", renamed[name]): value for name, value in settings.items()}
