"""AlphaAdam in NumPy, and the same with one mistake each that people really make: what the vectors must catch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.adapters import Observation


@dataclass
class Step:
    """What one tensor's step needs; a mistake changes one of the functions below."""

    g: np.ndarray
    old_m: np.ndarray
    m: np.ndarray
    t: int
    h: dict[str, Any]


def mask(step: Step) -> np.ndarray:
    if step.h["masking"] == "none":
        return np.ones(step.g.shape, bool)
    if step.h["masking"] == "sync":
        return np.sign(step.m) * np.sign(step.g) > 0
    return (step.old_m == 0) | (np.sign(step.old_m) * np.sign(step.g) > 0)


def direction(m: np.ndarray, v: np.ndarray, t: int, h: dict[str, Any]) -> np.ndarray:
    return m / (1 - h["beta1"] ** t) / (np.sqrt(v / (1 - h["beta2"] ** t)) + h["eps"])


def strength(h: dict[str, Any], a: np.ndarray, u: np.ndarray) -> float:
    if not isinstance(h["alpha"], str):
        return h["alpha"]
    cap = h["alpha_max"] or {"norm": 2.0, "count": 1000.0}[h["alpha"]]
    if a.all():
        return 1.0
    if h["alpha"] == "count":
        return min(a.size / a.sum(), cap) if a.any() else cap
    norm, masked = np.linalg.norm(u), np.linalg.norm(a * u)
    return 1.0 if norm == 0 else min(norm / masked, cap) if masked else cap


def decay(theta: np.ndarray, a: np.ndarray, lr: float, h: dict[str, Any]) -> np.ndarray:
    return theta * (1 - lr * h["weight_decay"])


class Implementation:
    """A correct adapter, unless one of its parts is replaced by keyword."""

    def __init__(self, **parts: Callable) -> None:
        self.parts = {"mask": mask, "direction": direction, "strength": strength, "decay": decay, **parts}

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        self.h = hyperparameters

    def load(self, dtype, params, m, v, step) -> None:
        self.params = params
        self.m = m or [np.zeros_like(p) for p in params]
        self.v = v or [np.zeros_like(p) for p in params]
        self.t = step

    def step(self, gradients, lr) -> Observation:
        self.t += 1
        h, b1, b2 = self.h, self.h["beta1"], self.h["beta2"]
        one = self.params[0].dtype.type(1)
        old = self.m
        self.m = [b1 * m + (1 - b1) * g for m, g in zip(old, gradients, strict=True)]
        self.v = [b2 * v + (1 - b2) * g * g for v, g in zip(self.v, gradients, strict=True)]
        steps = [Step(*parts, self.t, h) for parts in zip(gradients, old, self.m, strict=True)]
        masks = [self.parts["mask"](step) for step in steps]
        us = [self.parts["direction"](m, v, self.t, h) for m, v in zip(self.m, self.v, strict=True)]
        alphas = self.strengths(masks, us)
        self.params = [
            (self.parts["decay"](p, a, lr, h) - lr * (one * alpha) * (a * u)).astype(p.dtype)
            for p, a, u, alpha in zip(self.params, masks, us, alphas, strict=True)
        ]
        return Observation(self.params, self.m, self.v, masks, alphas)

    def strengths(self, masks: list[np.ndarray], us: list[np.ndarray]) -> list[float]:
        return [float(self.parts["strength"](self.h, a, u)) for a, u in zip(masks, us, strict=True)]


class AlphaOverAllTensors(Implementation):
    def strengths(self, masks, us):
        everything = [np.concatenate([x.ravel() for x in arrays]) for arrays in (masks, us)]
        return [float(self.parts["strength"](self.h, *everything))] * len(us)


def mask_from_the_new_moment(step: Step) -> np.ndarray:
    if step.h["masking"] == "async":
        return (step.old_m == 0) | (np.sign(step.m) * np.sign(step.g) > 0)
    return mask(step)


def mask_by_product(step: Step) -> np.ndarray:
    if step.h["masking"] == "none":
        return mask(step)
    deciding = step.m if step.h["masking"] == "sync" else step.old_m
    return (deciding * step.g > 0) | ((step.old_m == 0) & (step.h["masking"] == "async"))


def mask_without_history_is_empty(step: Step) -> np.ndarray:
    return mask(step) if step.h["masking"] != "async" else np.sign(step.old_m) * np.sign(step.g) > 0


def mask_not_strict(step: Step) -> np.ndarray:
    if step.h["masking"] == "none":
        return mask(step)
    return np.sign(step.m if step.h["masking"] == "sync" else step.old_m) * np.sign(step.g) >= 0


def eps_inside_the_root(m, v, t, h):
    return m / (1 - h["beta1"] ** t) / np.sqrt(v / (1 - h["beta2"] ** t) + h["eps"])


def eps_before_bias_correction(m, v, t, h):
    return m / (1 - h["beta1"] ** t) / ((np.sqrt(v) + h["eps"]) / np.sqrt(1 - h["beta2"] ** t))


def bias_correction_off_by_one(m, v, t, h):
    return direction(m, v, t + 1, h)


def decay_masked(theta, a, lr, h):
    return theta * (1 - lr * h["weight_decay"] * a)


def alpha_without_its_cap(h, a, u):
    return strength({**h, "alpha_max": 1e30}, a, u)


#: Mistake -> (adapter, a case that must catch it, in which quantity).
WRONG = {
    "mask from the new moment": (Implementation(mask=mask_from_the_new_moment), "alphaadam/new-moment-turns", "mask"),
    "mask from an underflowing product": (Implementation(mask=mask_by_product), "cautious/product-underflows", "mask"),
    "no history masks everything": (Implementation(mask=mask_without_history_is_empty), "alphaadam/first-step", "mask"),
    "sign test not strict": (Implementation(mask=mask_not_strict), "alphaadam/zero-gradients-with-history", "mask"),
    "eps inside the root": (Implementation(direction=eps_inside_the_root), "adamw/large-eps", "params"),
    "eps before bias correction": (
        Implementation(direction=eps_before_bias_correction),
        "adamw/small-gradients-at-first-step",
        "params",
    ),
    "bias correction off by one": (Implementation(direction=bias_correction_off_by_one), "adamw/first-step", "params"),
    "decay masked": (Implementation(decay=decay_masked), "async-mask/large-weight-decay", "params"),
    "alpha over all tensors at once": (AlphaOverAllTensors(), "alphaadam/fifth-step", "alpha"),
    "alpha without its cap": (Implementation(strength=alpha_without_its_cap), "alpha/norm-at-its-cap", "alpha"),
}
