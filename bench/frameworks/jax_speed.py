"""What `bench.speed.cells` measures in JAX: the step of Optax' transformations beside `optax.adamw`."""

from __future__ import annotations

import gc
import platform
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy.typing as npt
import optax

import alphaadam
from alphaadam.optax import alphaadam as make_alphaadam
from bench import machine
from bench.frameworks.jax_step import (
    JaxStep,
    available_bytes,
    clock_on,
    device_of,
    devices,
    dtype_of,
    estimated_bytes,
    gradients_on,
    hardware,
    set_threads,
)
from bench.paired import LEARNING_RATE, Gradients, shapes_of
from bench.speed.cells import Cell
from bench.speed.course import check_memory, measure_in_turn
from bench.speed.plans import FRAMEWORKS
from bench.tasks import Hyperparameters

__all__ = ["devices", "environment", "measure", "set_threads"]

OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "alphaadam": make_alphaadam,
    "alphaadam-alpha1": partial(make_alphaadam, alpha=1.0),
    "adamw": optax.adamw,
}


def optax_step(variant: str, values: Sequence[npt.NDArray[Any]], device: jax.Device) -> JaxStep:
    """A variant's step on copies of given arrays: `update` and `optax.apply_updates`."""
    optimizer, _, form = variant.rpartition("-")
    settings = Hyperparameters()
    transformation = OPTIMIZERS[optimizer](
        LEARNING_RATE,
        b1=settings.beta1,
        b2=settings.beta2,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
    )

    def step(parameters: list[jax.Array], state: Any, gradients: list[jax.Array]) -> tuple[Any, Any]:
        updates, state = transformation.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    parameters = jax.device_put(list(values), device)
    return JaxStep(step, parameters, transformation.init(parameters), form == "jit", device)


def measure(cell: Cell, seconds: float, transient: bool) -> dict[str, Any]:
    """Measures a variant's step beside AdamW's in the same form, in turn, on the same fresh gradients.

    Args:
        cell: What to measure.
        seconds: How long the rounds go on.
        transient: Whether to ask XLA for memory and HLO, too.

    Returns:
        What `bench.speed.course.measure_in_turn` returns; with `transient` also what `JaxStep.inspect` does.

    Raises:
        NotMeasurableError: The device or the memory is not there, or the steps do nothing.
        Exception: Whatever the optimizer raises where it cannot run.
    """
    gc.collect()  # what the cell before held, above all where it failed
    device, dtype = device_of(cell), dtype_of(cell)
    check_memory(estimated_bytes(cell, 2, dtype), available_bytes(device))
    gradients = Gradients(shapes_of(cell.shapes), lambda pool: pool.astype(dtype, copy=False))
    values, to_device = gradients.draw(), gradients_on(device)
    measured, baseline = (
        optax_step(variant, values, device) for variant in (cell.variant, FRAMEWORKS["optax"].baseline_of(cell.variant))
    )
    return measure_in_turn(
        cell,
        dtype.itemsize,
        {"seconds": measured, "baselineSeconds": baseline},
        lambda: to_device(gradients.draw()),
        seconds,
        lambda: measured.inspect() if transient else {},
        clock_on(device),
    )


def environment(device: str) -> dict[str, Any]:
    """What the figures depend on beside the cell: code, versions, hardware and number of threads."""
    versions = {"alphaadam": alphaadam.__version__, "python": platform.python_version()}
    return {
        "versions": versions | machine.versions_of("jax", "jaxlib", "optax", "numpy"),
        "alphaadamSource": machine.source_digest(Path(alphaadam.__file__).parent, "optax"),
        **hardware(device),
    }
