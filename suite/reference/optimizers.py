"""The optimizers that vector files speak of, as settings of one rule: a direction, a mask and a strength."""

from typing import Any

from suite.reference.baselines import BASELINES, defaults

_COMMON = ("lr", "weight_decay", "maximize")
_ADAM = ("beta1", "beta2", "eps")
_MASK = ("masking", "alpha", "alpha_max")

#: Optimizer -> its hyperparameters.
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "AlphaAdam": (*_COMMON, *_ADAM, *_MASK),
    "AdamW": (*_COMMON, *_ADAM, "eps_placement"),
    "CautiousAdamW": (*_COMMON, *_ADAM, "eps_placement"),
    "AlphaMaskSGD": (*_COMMON, "momentum", "nesterov", *_MASK),
    "AlphaMaskLion": (*_COMMON, "beta1", "beta2", *_MASK),
    **{name: tuple(defaults(name)) for name in BASELINES},
}

#: Optimizers that mask what another one does, and the direction of that one. Theirs is the first moment alone.
WRAPPED = {"AlphaMaskSGD": "sgd", "AlphaMaskLion": "lion"}

#: Where eps is added: to the root of the bias-corrected second moment, or to the root of the moment itself, whose bias
#: is corrected afterwards ("epsilon hat").
EPS_PLACEMENTS = ("after-bias-correction", "before-bias-correction")


def moments(optimizer: str) -> tuple[str, ...]:
    """The moments that vectors state of an optimizer: m, or m and v, or of a baseline none."""
    if optimizer in BASELINES:
        return ()
    return ("m",) if optimizer in WRAPPED else ("m", "v")


def as_alphaadam(optimizer: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of an optimizer as those of the one rule.

    Cautious AdamW divides its mask by the fraction that it selects, which it keeps above 1e-3: the count rule with
    AlphaAdam's own cap of 1000.
    """
    if optimizer in WRAPPED:
        return {**hyperparameters, "direction": WRAPPED[optimizer]}
    if optimizer == "AlphaAdam":
        return {**hyperparameters, "direction": "adam", "eps_placement": EPS_PLACEMENTS[0]}
    rule = {"AdamW": ("none", 1.0), "CautiousAdamW": ("sync", "count")}[optimizer]
    return {**hyperparameters, "direction": "adam", "masking": rule[0], "alpha": rule[1], "alpha_max": None}
