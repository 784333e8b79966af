"""The optimizers that vector files speak of, as settings of one rule."""

from typing import Any

#: Optimizer -> its own hyperparameters beside the common ones.
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "AlphaAdam": ("masking", "alpha", "alpha_max"),
    "AdamW": ("eps_placement",),
    "CautiousAdamW": ("eps_placement",),
}
COMMON = ("lr", "beta1", "beta2", "eps", "weight_decay", "maximize")

#: Where eps is added: to the root of the bias-corrected second moment, or to the root of the moment itself, whose bias
#: is corrected afterwards ("epsilon hat").
EPS_PLACEMENTS = ("after-bias-correction", "before-bias-correction")


def as_alphaadam(optimizer: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of an optimizer as those of the one rule.

    Cautious AdamW divides its mask by the fraction that it selects, which it keeps above 1e-3: the count rule with
    AlphaAdam's own cap of 1000.
    """
    if optimizer == "AlphaAdam":
        return {**hyperparameters, "eps_placement": EPS_PLACEMENTS[0]}
    rule = {"AdamW": ("none", 1.0), "CautiousAdamW": ("sync", "count")}[optimizer]
    return {**hyperparameters, "masking": rule[0], "alpha": rule[1], "alpha_max": None}
