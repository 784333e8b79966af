"""Adan of Optax."""

from typing import Any

import optax

from suite.adapters.libraries.optax_library import OptaxLibrary


class Adan(OptaxLibrary):
    """optax.adan, whose decay is AdamW's; its eps under the root is 1e-8 unless it is told otherwise."""

    optimizer = "Adan"

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        if not hyperparameters.pop("no_prox") and hyperparameters["weight_decay"]:
            self.unsupported("it has no proximal weight decay")
        return optax.adan(lr, eps_root=0.0, **hyperparameters)
