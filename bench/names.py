"""The names a benchmark can be asked for, and what stands behind a framework's name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from bench.machine import versions_of

FRAMEWORKS = ("torch", "jax", "keras")
"""One module of ``bench/frameworks`` each."""

OPTIMIZERS = ("alphaadam", "adamw", "cautious-adamw")
"""What asv tracks; the tasks have tuned learning rates for them."""

BASELINES = MappingProxyType(
    {
        "exadam": "EXAdam",
        "mgup": "MGUP",
        "adan": "Adan",
        "root": "ROOT",
        "conda": "Conda",
        "galore": "GaLore",
        "ldadam": "LDAdam",
        "microadam": "MicroAdam",
        "adam-8bit": "Adam8bit",
        "adam-mini": "AdamMini",
        "sophia": "Sophia",
        "one-bit-adam": "OneBitAdam",
    }
)
"""Optimizers of ``alphaadam.<framework>.baselines``, with the names of their classes."""

COMPARED = (
    *(*OPTIMIZERS, "adamw-sm", "adamw-am", "lion", "sgd"),
    *(*BASELINES, "muon", "alphamask-sgd", "alphamask-lion", "alphamask-adan"),
)
"""What every framework's module has under ``OPTIMIZERS``: adamw-sm and adamw-am are AlphaAdam with masking "sync" or
"async" and alpha 1, the ablations of the paper; alphamask-x is x with AlphaAdam's mask and alpha around it."""


def check_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """Returns `name` if it is one of `valid`.

    Raises:
        ValueError: The name is unknown; the message lists the valid ones.
    """
    valid = tuple(valid)
    if name not in valid:
        raise ValueError(f"unknown {kind} {name!r}; choose one of: {', '.join(valid)}")
    return name


def load_framework(name: str) -> ModuleType:
    """Imports ``bench.frameworks.<name>``.

    Every such module has a class ``Training`` (GPT-2 and one training step), a class ``OptimizerStep``
    (the optimizer's step alone), the names of its ``OPTIMIZERS``, the ``LIBRARIES`` that some of them come from, and a
    function ``versions()``.

    Raises:
        ValueError: The framework is unknown.
        ModuleNotFoundError: The framework or alphaadam is not installed.
    """
    check_name("framework", name, FRAMEWORKS)
    return _load(name, name)


def load_speed_module(framework: str) -> ModuleType:
    """Imports what `bench.speed.cells` measures a framework with.

    Every such module has the functions ``measure(cell, seconds, transient)``, ``devices()``, ``environment(device)``
    and ``set_threads(number)``. It measures one framework in a process: Keras has one backend for good.

    Args:
        framework: A name of `bench.speed.plans.FRAMEWORKS`.

    Raises:
        ModuleNotFoundError: The framework, its backend, NumPy or alphaadam is not installed.
        RuntimeError: Keras was imported before, on another backend.
    """
    from bench.speed.plans import FRAMEWORKS as MEASURED

    os.environ.update(MEASURED[framework].environment)
    for needed in MEASURED[framework].missing():
        raise _missing(framework, needed)
    module = _load(framework, MEASURED[framework].module)
    if (runs := getattr(module, "BACKEND", None)) not in (None, MEASURED[framework].environment.get("KERAS_BACKEND")):
        raise RuntimeError(f"Keras runs on {runs!r} in this process already; {framework} needs a process of its own")
    return module


def _load(name: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(f"bench.frameworks.{module}")
    except ModuleNotFoundError as error:
        raise _missing(name, error.name) from error


def _missing(name: str, module: str | None) -> ModuleNotFoundError:
    tensorflow = " tensorflow-cpu" if module == "tensorflow" else ""  # no extra of ours brings it
    return ModuleNotFoundError(
        f"{name} is benchmarked with {module}, which is not installed; run"
        f" `python -m pip install -c constraints.txt '.[torch,optax,keras,bench]'{tensorflow}`",
        name=module,
    )


def load_baseline(room: str, name: str) -> Any:
    """A class or function of ``alphaadam.<room>.baselines``.

    Args:
        room: "torch", "optax" or "keras".
        name: Its name there.

    Raises:
        RuntimeError: This version of alphaadam has it not.
    """
    module = importlib.import_module(f"alphaadam.{room}.baselines")
    if not hasattr(module, name):
        found = ", ".join(module.__all__)
        raise RuntimeError(
            f"alphaadam.{room}.baselines has no {name} here, only: {found}. Install the alphaadam of this checkout:"
            " `python -m pip install .`"
        )
    return getattr(module, name)


def load_library(module: str, distribution: str, optimizer: str) -> ModuleType:
    """The library that an optimizer comes from.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the optimizer {optimizer} is that of {distribution}, which is not installed; run"
            f" `python -m pip install -c constraints.txt {distribution}`",
            name=module,
        ) from error


def source_of(optimizer: str, libraries: Mapping[str, str]) -> dict[str, str]:
    """Where an optimizer comes from: "library", the name of a distribution, and its "version".

    Args:
        optimizer: Its name.
        libraries: ``LIBRARIES`` of the framework's module. What is not in it is ours.
    """
    import alphaadam

    if optimizer not in libraries:
        return {"library": "alphaadam", "version": alphaadam.__version__}
    library = libraries[optimizer]
    return {"library": library, "version": versions_of(library).get(library, "not installed")}


def framework_of_environment() -> str:
    """The framework that this environment measures, from the variable BENCH_FRAMEWORK.

    Raises:
        RuntimeError: The variable is not set.
        ValueError: It names no framework.
    """
    name = os.environ.get("BENCH_FRAMEWORK")
    if not name:
        raise RuntimeError(
            "BENCH_FRAMEWORK is not set: it says which framework this environment measures. asv sets it from"
            " asv.conf.json; in an environment of your own, run for example"
            f" `BENCH_FRAMEWORK={FRAMEWORKS[0]} asv run --environment existing` (one of: {', '.join(FRAMEWORKS)})"
        )
    return check_name("framework in BENCH_FRAMEWORK", name, FRAMEWORKS)
