"""AlphaMask in plain NumPy around SGD with momentum and around Lion, with the adapters that run it.

    python -m suite run --adapter suite/examples/numpy_alphamask.py:NumpyAlphaMaskSGD

As around a real library's optimizer, what is known of the inner step is the parameter before and after it.
"""

import dataclasses
from typing import Any

import numpy as np

from suite.adapters import Observation
from suite.examples.numpy_alphaadam import NumpyAlphaAdam


class NumpyAlphaMask(NumpyAlphaAdam):
    """Mask, alpha and decay are AlphaAdam's; moments and update are an inner optimizer's."""

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self.lr = lr
        return dataclasses.replace(super().step(gradients, lr), v=None)

    def update_moments(self, index: int, gradient: Any) -> tuple[np.ndarray, np.ndarray]:
        g, theta, old_m = (self.wide(x) for x in (gradient, self.params[index], self.m[index]))
        g = -g if self.h["maximize"] else g
        self.m[index], u = self.inner(old_m, g)
        mask = self.mask(old_m, self.m[index], g)
        return mask, self.read(theta, self.moved(theta, u))

    def moved(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The parameter after the inner optimizer's step without decay."""
        return theta - theta.dtype.type(self.lr) * u

    def read(self, theta: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The inner optimizer's direction, from what it did to the parameter."""
        return (theta - moved) / theta.dtype.type(self.lr) if self.lr else np.zeros_like(theta)

    def inner(self, m: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The new momentum and the direction."""
        raise NotImplementedError


class NumpyAlphaMaskSGD(NumpyAlphaMask):
    optimizer = "AlphaMaskSGD"

    def inner(self, m: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        m = self.h["momentum"] * m + g
        return m, g + self.h["momentum"] * m if self.h["nesterov"] else m


class NumpyAlphaMaskLion(NumpyAlphaMask):
    optimizer = "AlphaMaskLion"

    def inner(self, m: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        b1, b2 = self.h["beta1"], self.h["beta2"]
        return b2 * m + (1 - b2) * g, np.sign(b1 * m + (1 - b1) * g)
