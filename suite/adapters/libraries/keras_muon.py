"""Muon of Keras."""

from typing import Any

import keras
import numpy as np

from suite.adapters.libraries.keras_library import KerasLibrary

_RMS_RATES = {"rms": 0.2, "none": None}


class Muon(KerasLibrary):
    """keras.optimizers.Muon."""

    optimizer = "Muon"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if self._arguments["epsilon"] != 1e-7 and any(array.ndim == 2 for array in params):
            self.unsupported("its Newton-Schulz has 1e-7 as eps, whatever it is asked for")
        super().load(dtype, params, m, v, step)

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        if arguments["scaling"] not in _RMS_RATES:
            self.unsupported("it has the scale of Liu et al. or none")
        a, b, c = arguments["ns_coefficients"]
        return keras.optimizers.Muon(
            arguments["learning_rate"],
            adam_beta_1=arguments["adamw_beta_1"],
            adam_beta_2=arguments["adamw_beta_2"],
            adam_weight_decay=arguments["weight_decay"],
            epsilon=arguments["adamw_epsilon"],
            weight_decay=arguments["weight_decay"],
            muon_a=a,
            muon_b=b,
            muon_c=c,
            momentum=arguments["momentum"],
            ns_steps=arguments["ns_steps"],
            nesterov=arguments["nesterov"],
            rms_rate=_RMS_RATES[arguments["scaling"]],
        )
