"""Adapters: how the runner drives one implementation. An adapter translates and never judges.

One module per framework, imported only when that framework is asked for; each class is an adapter as described by
:class:`Adapter` here. Somebody else's adapter is a class in a file of their own: ``path/to/file.py:ClassName``.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from suite.adapters.libraries import LIBRARIES


class UnsupportedError(Exception):
    """Raised by an adapter for what its implementation does not offer; the test is skipped with this reason."""


@dataclass(frozen=True)
class Observation:
    """What an implementation has in its hands after a step; None where it cannot be observed.

    Attributes:
        params: Parameters, one array per tensor.
        m: First moments.
        v: Second moments; of no meaning where the optimizer has none.
        mask: The mask of the last step, bool; None for a tensor that took no part. For a complex tensor it has a last
            axis of size 2: real and imaginary part.
        alpha: The strength of the last step, one number per tensor; None for a tensor that took no part.
    """

    params: Sequence[np.ndarray]
    m: Sequence[np.ndarray] | None = None
    v: Sequence[np.ndarray] | None = None
    mask: Sequence[np.ndarray | None] | None = None
    alpha: Sequence[float | None] | None = None


class Adapter(Protocol):
    """One implementation under test.

    Attributes:
        optimizer: Which vectors it is checked against: AlphaAdam, AdamW, CautiousAdamW, AlphaMaskSGD, AlphaMaskLion or
            a baseline, see :data:`suite.reference.baselines.BASELINES`.
        skips: Flags of tests that mean nothing for it, with the reason.

    An adapter of somebody else's library may have ``validates = False``: it is not asked which hyperparameters it
    refuses.
    """

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]]

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
        """Give the constructed optimizer its parameters and its state after ``step`` steps.

        ``m`` is None for a fresh start, ``v`` also for an optimizer without second moment.
        """

    def add(self, params: list[np.ndarray]) -> None:
        """Give it further parameters, after those that it has."""

    def step(self, gradients: list[np.ndarray | None], lr: float, **others: list[np.ndarray | None]) -> Observation:
        """Take one step; a gradient that is None is absent. Some baselines' steps take more than gradients."""


#: Room of the package -> the baselines that it has: a class of this name in the module ``<room>_baselines`` here.
OURS: dict[str, tuple[str, ...]] = {
    "torch": (
        "Adan",
        "AlphaMaskAdan",
        "AdamMini",
        "Adam8bit",
        "EXAdam",
        "Conda",
        "GaLore",
        "MGUP",
        "OneBitAdam",
        "LDAdam",
        "MicroAdam",
        "ROOT",
        "Sophia",
    ),
    "optax": (
        "Adan",
        "AlphaMaskAdan",
        "AdamMini",
        "Adam8bit",
        "EXAdam",
        "Conda",
        "GaLore",
        "MGUP",
        "LDAdam",
        "MicroAdam",
        "ROOT",
        "Sophia",
        "OneBitAdam",
    ),
    "keras": (
        "Adan",
        "AlphaMaskAdan",
        "AdamMini",
        "Adam8bit",
        "EXAdam",
        "Conda",
        "GaLore",
        "MGUP",
        "LDAdam",
        "MicroAdam",
        "ROOT",
        "Sophia",
        "OneBitAdam",
    ),
}


def _baselines(room: str) -> tuple[str, ...]:
    return tuple(f"suite.adapters.{room}_baselines:{optimizer}" for optimizer in OURS[room])


_KERAS = tuple(f"suite.adapters.keras:{optimizer}" for optimizer in ("AlphaAdam", "AlphaMaskSGD", "AlphaMaskLion"))

#: Name on the command line -> classes, one for each optimizer that it offers, and the Keras backend it needs.
ADAPTERS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "torch": (
        (
            "suite.adapters.torch:AlphaAdam",
            "suite.adapters.torch:AlphaMaskSGD",
            "suite.adapters.torch:AlphaMaskLion",
        ),
        None,
    ),
    "torch-loop": (("suite.adapters.torch:Loop",), None),
    "torch-foreach": (("suite.adapters.torch:Foreach",), None),
    "torch-capturable-loop": (("suite.adapters.torch:CapturableLoop",), None),
    "torch-capturable-foreach": (("suite.adapters.torch:CapturableForeach",), None),
    "torch-differentiable": (("suite.adapters.torch:Differentiable",), None),
    "torch-fused": (("suite.adapters.torch:Fused",), None),
    "optax": (
        (
            "suite.adapters.optax:AlphaAdam",
            "suite.adapters.optax:AlphaMaskSGD",
            "suite.adapters.optax:AlphaMaskLion",
        ),
        None,
    ),
    "optax-eager": (("suite.adapters.optax:Eager",), None),
    "keras-torch": (_KERAS, "torch"),
    "keras-jax": (_KERAS, "jax"),
    # Without AlphaMask: Keras' own SGD and Lion step in float32 there, whatever the dtype of a variable.
    "keras-tensorflow": (("suite.adapters.keras:AlphaAdam",), "tensorflow"),
    "keras-torch-ops": (("suite.adapters.keras:UpdateStep",), "torch"),
    "keras-jax-compiled": (("suite.adapters.keras:Compiled",), "jax"),
    "keras-tensorflow-compiled": (("suite.adapters.keras:Compiled",), "tensorflow"),
    "torch-baselines": (_baselines("torch"), None),
    "optax-baselines": (_baselines("optax"), None),
    "keras-torch-baselines": (_baselines("keras"), "torch"),
    "keras-jax-baselines": (_baselines("keras"), "jax"),
    "keras-tensorflow-baselines": (_baselines("keras"), "tensorflow"),
    **LIBRARIES,
    "torch-adamw": (("suite.adapters.torch:AdamW",), None),
    "optax-adamw": (("suite.adapters.optax:AdamW",), None),
    "keras-adamw": (("suite.adapters.keras:AdamW",), "jax"),
    "torch-cautious": (("suite.adapters.torch:CautiousAdamW",), None),
    "optax-cautious": (("suite.adapters.optax:CautiousAdamW",), None),
    "keras-cautious": (("suite.adapters.keras:CautiousAdamW",), "jax"),
    "torch-as-adamw": (("suite.adapters.torch:AsAdamW",), None),
    "optax-as-adamw": (("suite.adapters.optax:AsAdamW",), None),
    "keras-as-adamw": (("suite.adapters.keras:AsAdamW",), "jax"),
}

#: Names that stand for several adapters.
GROUPS = {
    "torch-variants": [
        "torch-loop",
        "torch-foreach",
        "torch-capturable-loop",
        "torch-capturable-foreach",
        "torch-differentiable",
        "torch-fused",
    ],
    "keras": ["keras-torch", "keras-jax", "keras-tensorflow"],
    "keras-variants": ["keras-torch-ops", "keras-jax-compiled", "keras-tensorflow-compiled"],
    "keras-baselines": ["keras-torch-baselines", "keras-jax-baselines", "keras-tensorflow-baselines"],
    "baselines": [
        "torch-baselines",
        "optax-baselines",
        "keras-torch-baselines",
        "keras-jax-baselines",
        "keras-tensorflow-baselines",
    ],
    **{
        f"{framework}-libraries": [
            name for name, (targets, _) in LIBRARIES.items() if f".{framework}_" in targets[0].rpartition(":")[0]
        ]
        for framework in OURS
    },
    "libraries": [*LIBRARIES],
    "stock": ["torch-adamw", "optax-adamw", "keras-adamw"],
    "cautious": ["torch-cautious", "optax-cautious", "keras-cautious"],
    "settings": [
        "torch-cautious",
        "optax-cautious",
        "keras-cautious",
        "torch-as-adamw",
        "optax-as-adamw",
        "keras-as-adamw",
    ],
}


def expand(names: Sequence[str]) -> list[str]:
    """The adapters that ``names`` stand for, each once.

    Raises:
        ValueError: A name is unknown, or names a file or class that is not there.
    """
    expanded: list[str] = []
    for name in names:
        if name in GROUPS:
            expanded += GROUPS[name]
        elif name in ADAPTERS or _is_file(name):
            expanded.append(name)
        else:
            known = [*ADAPTERS, *(f"{group} ({', '.join(members)})" for group, members in GROUPS.items())]
            raise ValueError(
                f"--adapter {name}: unknown. Choose from: {', '.join(known)}, or path/to/file.py:ClassName."
            )
    return list(dict.fromkeys(expanded))


def home(name: str) -> tuple[str, str | None] | None:
    """Framework (a room of the package) and Keras backend of an adapter; None for somebody else's, which may be any."""
    if name not in ADAPTERS:
        return None
    targets, keras_backend = ADAPTERS[name]
    module = targets[0].partition(":")[0]
    return module.rpartition(".")[2].partition("_")[0], keras_backend


def _is_file(name: str) -> bool:
    path, separator, class_name = name.rpartition(":")
    if not (separator and path.endswith(".py")):
        return False
    if not Path(path).is_file():
        raise ValueError(f"--adapter {name}: there is no file {path}.")
    if not class_name.isidentifier():
        raise ValueError(f"--adapter {name}: {class_name!r} is no name of a class. Write path/to/file.py:ClassName.")
    return True


def create(name: str) -> dict[str, Adapter]:
    """Import and make the adapters of that name, by the optimizer that each is for.

    Keras reads its backend once per process, so call this in a process of its own.
    """
    targets, keras_backend = ADAPTERS.get(name, ((name,), None))
    if keras_backend:
        os.environ["KERAS_BACKEND"] = keras_backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr otherwise
    made: list[Adapter] = []
    for target in targets:
        module, _, class_name = target.rpartition(":")
        loaded = importlib.import_module(module) if name in ADAPTERS else _load_file(Path(module))
        made.append(getattr(loaded, class_name)())
    return {adapter.optimizer: adapter for adapter in made}


def _load_file(path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None  # its name ends with .py
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module
