"""Adapters: how the runner drives one implementation. An adapter translates and never judges.

One module per framework, imported only when that framework is asked for. Its class is called ``Adapter`` and has the
methods of :class:`Adapter` here.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Observation:
    """What an implementation has in its hands after a step; None where it cannot be observed.

    Attributes:
        params: Parameters, one array per tensor.
        m: First moments.
        v: Second moments.
        mask: The mask of the last step, bool.
        alpha: The strength of the last step, one number per tensor.
    """

    params: Sequence[np.ndarray]
    m: Sequence[np.ndarray] | None = None
    v: Sequence[np.ndarray] | None = None
    mask: Sequence[np.ndarray] | None = None
    alpha: Sequence[float] | None = None


class Adapter(Protocol):
    """One implementation under test."""

    def versions(self) -> dict[str, str]:
        """Name and version of the implementation and of what it runs on."""

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        """Make an optimizer; a TypeError or ValueError from it is a rejection of the hyperparameters."""

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        """Give the constructed optimizer its parameters and, unless None, its state after ``step`` steps."""

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        """Take one step."""


#: Name on the command line -> module, and the Keras backend it needs.
ADAPTERS: dict[str, tuple[str, str | None]] = {
    "torch": ("suite.adapters.torch", None),
    "optax": ("suite.adapters.optax", None),
    "keras-torch": ("suite.adapters.keras", "torch"),
    "keras-jax": ("suite.adapters.keras", "jax"),
    "keras-tensorflow": ("suite.adapters.keras", "tensorflow"),
}


def expand(names: Sequence[str]) -> list[str]:
    """The adapters that ``names`` stand for: ``keras`` is Keras on each of its backends.

    Raises:
        ValueError: A name is unknown.
    """
    expanded: list[str] = []
    for name in names:
        if name == "keras":
            expanded += [known for known in ADAPTERS if known.startswith("keras-")]
        elif name in ADAPTERS:
            expanded.append(name)
        else:
            known_names = ", ".join([*ADAPTERS, "keras (all of its backends)"])
            raise ValueError(f"--adapter {name}: unknown. Choose from: {known_names}.")
    return list(dict.fromkeys(expanded))


def create(name: str) -> Adapter:
    """Import and make an adapter. Keras reads its backend once per process, so call this in a process of its own."""
    module, keras_backend = ADAPTERS[name]
    if keras_backend:
        os.environ["KERAS_BACKEND"] = keras_backend
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr otherwise
    adapter: Adapter = importlib.import_module(module).Adapter()
    return adapter
