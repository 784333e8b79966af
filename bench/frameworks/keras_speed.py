"""What `bench.speed` measures in Keras, on the backend of this process: an optimizer's step beside Keras' own AdamW."""

from __future__ import annotations

import gc
import importlib
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

import alphaadam
from alphaadam.keras import AlphaAdam
from bench import machine
from bench.paired import LEARNING_RATE, shapes_of
from bench.speed.cells import Cell
from bench.speed.course import measure_in_turn
from bench.speed.plans import FRAMEWORKS
from bench.tasks import Hyperparameters

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "alphaadam": AlphaAdam,
    "adamw": keras.optimizers.AdamW,
}
BACKEND = keras.backend.backend()
_runner = importlib.import_module(f"bench.frameworks.keras_{BACKEND}")
_framework = FRAMEWORKS[f"keras-{BACKEND}"]

devices: Callable[[], tuple[str, ...]] = _runner.devices
set_threads: Callable[[int], None] = _runner.set_threads


def measure(cell: Cell, seconds: float, transient: bool) -> dict[str, Any]:
    """Measures a variant's step beside AdamW's in the same form, in turn, on the same fresh gradients.

    Args:
        cell: What to measure.
        seconds: How long the rounds go on.
        transient: Whether to measure memory, and to ask XLA for its HLO, too.

    Returns:
        What `bench.speed.course.measure_in_turn` returns; with `transient` also what the backend tells. Where the
        framework has a fastest AdamW apart from Keras', "fastestSeconds" are its.

    Raises:
        NotMeasurableError: The device or the memory is not there, or the steps do nothing.
        Exception: Whatever the optimizer raises where it cannot run.
    """
    gc.collect()  # what the cell before held, above all where it failed
    runner = _runner.Runner(cell, shapes_of(cell.shapes))
    measured, baseline = (
        runner.step(_optimizer(optimizer), form)
        for optimizer, _, form in (
            variant.rpartition("-") for variant in (cell.variant, _framework.baseline_of(cell.variant))
        )
    )
    steps = {"seconds": measured, "baselineSeconds": baseline}
    if (fastest := runner.fastest_adamw()) is not None:
        steps["fastestSeconds"] = fastest
    return measure_in_turn(
        cell,
        runner.itemsize,
        steps,
        runner.fresh,
        seconds,
        lambda: measured.inspect() if transient else {},
        runner.clock,
    )


def environment(device: str) -> dict[str, Any]:
    """What the figures depend on beside the cell: code, versions, hardware and number of threads."""
    versions = {"alphaadam": alphaadam.__version__, "python": platform.python_version(), "keras": keras.__version__}
    return {
        "versions": versions | machine.versions_of(*_runner.DISTRIBUTIONS, "numpy"),
        "alphaadamSource": machine.source_digest(Path(alphaadam.__file__).parent, *_runner.ROOMS),
        **_runner.hardware(device),
    }


def _optimizer(name: str) -> keras.optimizers.Optimizer:
    settings = Hyperparameters()
    return OPTIMIZERS[name](
        learning_rate=LEARNING_RATE,
        beta_1=settings.beta1,
        beta_2=settings.beta2,
        epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
    )
