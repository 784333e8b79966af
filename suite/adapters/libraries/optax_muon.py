"""Muon of optax.contrib."""

from typing import Any

import numpy as np
import optax

from suite.adapters.libraries.optax_library import OptaxLibrary

_CONSISTENT_RMS = {"rms": 0.2, "columns": None}


class Muon(OptaxLibrary):
    """optax.contrib.muon, whose one eps is Muon's and AdamW's."""

    optimizer = "Muon"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if self._hyperparameters["eps"] != self._hyperparameters["adamw_eps"] and any(x.ndim != 2 for x in params):
            self.unsupported("Muon's eps and AdamW's are one there")
        super().load(dtype, params, m, v, step)

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        if hyperparameters["scaling"] not in _CONSISTENT_RMS:
            self.unsupported("it has Jordan's scale for weights of inputs by outputs, and that of Liu et al.")
        return optax.contrib.muon(
            lr,
            ns_coeffs=tuple(hyperparameters["ns_coefficients"]),
            ns_steps=hyperparameters["ns_steps"],
            beta=hyperparameters["momentum"],
            eps=hyperparameters["eps"],
            weight_decay=hyperparameters["weight_decay"],
            nesterov=hyperparameters["nesterov"],
            adam_b1=hyperparameters["adamw_b1"],
            adam_b2=hyperparameters["adamw_b2"],
            adam_weight_decay=hyperparameters["weight_decay"],
            consistent_rms=_CONSISTENT_RMS[hyperparameters["scaling"]],
        )
