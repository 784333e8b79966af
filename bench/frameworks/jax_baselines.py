"""The optimizers that AlphaAdam is compared with, in JAX: ours, and those of Optax that are no drop-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import optax
from optax import contrib

from alphaadam.optax import AlphaMaskState, alpha_mask
from bench.names import BASELINES, load_baseline

Factory = Callable[..., optax.GradientTransformation]
"""Takes a learning rate or schedule, weight decay, what `optax.adamw` takes as ``mask``, settings in the names of
`bench.settings`, and a pytree of bools: which leaves the optimizer takes by its own rule. Those in `MASKED_BASELINES`
also take ``record_diagnostics``."""


def _ours(
    name: str, rate: Any, weight_decay: float, mask: Any, settings: Mapping[str, Any], taken: Any
) -> optax.GradientTransformation:
    given = arguments(settings)
    if name == "adam_8bit":
        given["quantize"] = taken
    elif "adamw_b1" in given:
        given["matrices"] = taken
    return load_baseline("optax", name)(rate, weight_decay=weight_decay, mask=mask, **given)


def _muon(rate: Any, weight_decay: float, mask: Any, settings: Mapping[str, Any], taken: Any) -> Any:
    """Optax' own for what it takes, and `optax.adamw` for the rest: its own fallback has Nesterov's momentum.

    Its update has the root mean square 0.2, about that of AdamW's, so that both have the same learning rate.
    """
    given = arguments(settings)
    muon = contrib.muon(
        rate,
        beta=given["momentum"],
        ns_steps=given["ns_steps"],
        consistent_rms=given["rms"],
        weight_decay=weight_decay,
        weight_decay_mask=mask,
    )
    adamw = optax.adamw(
        rate, b1=given["adamw_b1"], b2=given["adamw_b2"], eps=given["adamw_eps"], weight_decay=weight_decay, mask=mask
    )
    labels = jax.tree.map(lambda takes: "muon" if takes else "adamw", taken)
    return optax.partition({"muon": muon, "adamw": adamw}, labels)


def _masked(direction: Callable[..., optax.GradientTransformation]) -> Factory:
    """AlphaAdam's mask and alpha around a direction with a momentum; decay and learning rate come after it."""

    def made(
        rate: Any, weight_decay: float, mask: Any, settings: Mapping[str, Any], taken: Any, **diagnostics: Any
    ) -> optax.GradientTransformation:
        around = alpha_mask(direction(**arguments(settings)), **diagnostics)
        if diagnostics.get("record_diagnostics"):
            around = _from_plain_state(around)
        return optax.chain(around, optax.add_decayed_weights(weight_decay, mask), optax.scale_by_learning_rate(rate))

    return made


def _adan(**settings: Any) -> optax.GradientTransformation:
    """Our Adan as a direction, which `_masked` multiplies by minus the learning rate."""
    return optax.chain(load_baseline("optax", "adan")(1.0, **settings), optax.scale(-1.0))


def _from_plain_state(recording: optax.GradientTransformation) -> optax.GradientTransformation:
    """`alpha_mask` that records, whose step may begin with the state of one that does not."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if not isinstance(state, AlphaMaskState):
            state = AlphaMaskState(state, None, None)
        return recording.update(updates, state, params)

    return optax.GradientTransformation(recording.init, update)


MASKED_BASELINES: dict[str, Factory] = {
    "alphamask-sgd": _masked(lambda momentum: optax.trace(momentum)),
    "alphamask-lion": _masked(optax.scale_by_lion),
    "alphamask-adan": _masked(_adan),
}

BASELINE_OPTIMIZERS: dict[str, Factory] = {
    **{optimizer: partial(_ours, optimizer.replace("-", "_")) for optimizer in BASELINES},
    "muon": _muon,
    **MASKED_BASELINES,
}


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in the words of Optax: "beta1" becomes "b1"."""
    return {name.replace("beta", "b"): value for name, value in settings.items()}
