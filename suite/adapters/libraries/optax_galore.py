"""GaLore of optax.contrib."""

from typing import Any

import numpy as np
import optax

from suite.adapters.libraries.optax_library import OptaxLibrary


class GaLore(OptaxLibrary):
    """optax.contrib.galore, whose one Adam is for matrices and for other leaves."""

    optimizer = "GaLore"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        given = self._hyperparameters
        differs = any(given[name] != given[f"adamw_{name}"] for name in ("b1", "b2", "eps"))
        if differs and any(x.ndim != 2 for x in params):
            self.unsupported("GaLore's Adam and AdamW are one there")
        super().load(dtype, params, m, v, step)

    def _make(self, lr: Any, hyperparameters: dict[str, Any]) -> optax.GradientTransformation:
        return optax.contrib.galore(
            lr,
            rank=hyperparameters["rank"],
            update_proj_gap=hyperparameters["update_proj_gap"],
            scale=hyperparameters["scale"],
            base_optimizer=optax.scale_by_adam(*(hyperparameters[name] for name in ("b1", "b2", "eps"))),
            weight_decay=hyperparameters["weight_decay"],
        )
