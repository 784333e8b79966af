"""AlphaAdam in plain NumPy, with the adapter that runs it: a complete example for a library of your own.

    python -m suite run --adapter suite/examples/numpy_alphaadam.py:NumpyAlphaAdam

It computes in float32 (float64 for float64), whatever the tensors are stored in.
"""

from typing import Any

import numpy as np

from suite.adapters import Observation, UnsupportedError


class NumpyAlphaAdam:
    """An adapter and, since NumPy needs nothing else, the optimizer itself; its methods are the rule's parts."""

    optimizer = "AlphaAdam"
    skips = {"SharedStep": "each tensor counts its own steps"}  # noqa: RUF012 - a plain dict is all that is asked for

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        h = hyperparameters
        for name in {"lr", "eps", "weight_decay"} & h.keys():
            if not (_is_number(h[name]) and 0 <= h[name] < np.inf):
                raise ValueError(f"{name} must be a finite number >= 0")
        for name in {"beta1", "beta2"} & h.keys():
            if not (_is_number(h[name]) and 0 <= h[name] < 1):
                raise ValueError(f"{name} must be in [0, 1)")
        if h["masking"] not in ("async", "sync", "none"):
            raise ValueError("masking must be async, sync or none")
        if _is_number(h["alpha"]):
            if not 0 < h["alpha"] < np.inf or h["alpha_max"] is not None:
                raise ValueError("alpha must be a finite number > 0, without alpha_max")
        elif h["alpha"] not in ("norm", "count"):
            raise ValueError("alpha must be norm, count or a number")
        elif h["alpha_max"] is not None and not (_is_number(h["alpha_max"]) and 1 <= h["alpha_max"] < np.inf):
            raise ValueError("alpha_max must be None or a finite number >= 1")
        self.h = hyperparameters

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        if dtype.startswith("complex"):
            raise UnsupportedError("real tensors only")
        self.params, self.steps = params, [step] * len(params)
        self.m = m or [np.zeros_like(p) for p in params]
        self.v = v or [np.zeros_like(p) for p in params]

    def add(self, params: list[np.ndarray]) -> None:
        self.params = [*self.params, *params]
        self.m, self.v = ([*moments, *map(np.zeros_like, params)] for moments in (self.m, self.v))
        self.steps += [0] * len(params)

    @np.errstate(all="ignore")
    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        used: list[int] = [index for index, g in enumerate(gradients) if g is not None]
        masks: list[Any] = [None] * len(gradients)
        updates: dict[int, np.ndarray] = {}
        for index in used:
            self.steps[index] += 1
            masks[index], updates[index] = self.update_moments(index, gradients[index])
        alphas = self.alphas(masks, updates)
        for index in used:
            p = self.wide(self.params[index])
            masked = masks[index] * updates[index]  # the IEEE product: NaN stays NaN
            p = self.decay(p, masks[index], lr) - p.dtype.type(lr * alphas[index]) * masked
            self.params[index] = p.astype(self.params[index].dtype)
        alpha = [alphas.get(index) for index in range(len(gradients))]
        return Observation(list(self.params), list(self.m), list(self.v), masks, alpha)

    def update_moments(self, index: int, gradient: Any) -> tuple[np.ndarray, np.ndarray]:
        """Store the new moments of a tensor; return its mask and its update."""
        h, g = self.h, self.wide(gradient)
        g = -g if h["maximize"] else g
        old_m = self.wide(self.m[index])
        new_m, new_v = self.moments(old_m, self.wide(self.v[index]), g)
        self.m[index] = new_m.astype(self.m[index].dtype)
        self.v[index] = new_v.astype(self.v[index].dtype)
        m, v = self.wide(self.m[index]), self.wide(self.v[index])  # as they are stored
        return self.mask(old_m, m, g), self.direction(m, v, self.steps[index])

    def moments(self, m: np.ndarray, v: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        b1, b2 = self.h["beta1"], self.h["beta2"]
        return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g * g)

    def mask(self, old_m: np.ndarray, m: np.ndarray, g: np.ndarray) -> np.ndarray:
        if self.h["masking"] == "none":
            return np.ones(g.shape, bool)
        if self.h["masking"] == "sync":
            return np.sign(m) * np.sign(g) > 0
        return (old_m == 0) | (np.sign(old_m) * np.sign(g) > 0)

    def direction(self, m: np.ndarray, v: np.ndarray, t: int) -> np.ndarray:
        b1, b2 = self.h["beta1"], self.h["beta2"]  # Python floats: both corrections are exact to float64
        number = m.dtype.type
        return (m / number(1 - b1**t)) / (np.sqrt(v / number(1 - b2**t)) + number(self.h["eps"]))

    def alphas(self, masks: list[Any], updates: dict[int, np.ndarray]) -> dict[int, float]:
        return {index: self.alpha(masks[index], u) for index, u in updates.items()}

    def alpha(self, mask: np.ndarray, u: np.ndarray) -> float:
        rule = self.h["alpha"]
        if not isinstance(rule, str):
            return rule
        if self.h["masking"] == "none" or u.size == 0:
            return 1.0
        cap = self.h["alpha_max"] or {"norm": 2.0, "count": 1000.0}[rule]
        if rule == "count":
            return min(u.size / mask.sum(), cap) if mask.any() else cap
        kept, dropped = np.sum((mask * u).astype(float) ** 2), np.sum((~mask * u).astype(float) ** 2)
        if kept + dropped == 0:
            return 1.0
        return float(np.minimum(np.sqrt(1 + dropped / kept), cap))

    def decay(self, theta: np.ndarray, mask: np.ndarray, lr: float) -> np.ndarray:
        return theta * theta.dtype.type(1 - lr * self.h["weight_decay"])

    @staticmethod
    def wide(array: np.ndarray) -> np.ndarray:
        """The array in the dtype of the arithmetic."""
        return array.astype(np.float64 if array.dtype == np.float64 else np.float32)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
