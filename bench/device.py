"""The device that asv's benchmarks run on: a GPU where the framework finds one, unless BENCH_DEVICE says otherwise."""

from __future__ import annotations

import os
from types import ModuleType

from bench.names import check_name, load_speed_module

DEVICES = ("cpu", "cuda")
VARIABLE = "BENCH_DEVICE"
"""Names the device, "cpu" or "cuda"; without it a GPU is taken where the framework finds one."""

_SPEED_MODULES = {"torch": "torch", "jax": "optax", "keras": "keras-jax"}


def device_of_environment(framework: str) -> str:
    """The device to measure a framework on.

    JAX chooses its device when it is first used: where BENCH_DEVICE names one, JAX is told so here, which therefore has
    to be called before JAX meets an array.

    Raises:
        ValueError: BENCH_DEVICE names no device.
        RuntimeError: The framework finds no such device.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        check_name(f"device in {VARIABLE}", named, DEVICES)
        os.environ.setdefault("JAX_PLATFORMS", named)
    found = speed_module(framework).devices()
    if named and named not in found:
        raise RuntimeError(
            f"{VARIABLE} is {named!r}, but {framework} finds only: {', '.join(found)}; install a build of {framework}"
            f" for it, or unset {VARIABLE}"
        )
    return named or found[-1]


def speed_module(framework: str) -> ModuleType:
    """What measures a framework of `bench.names.FRAMEWORKS`; see `bench.names.load_speed_module`."""
    return load_speed_module(_SPEED_MODULES[framework])
