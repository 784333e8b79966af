"""Runs of the commands `speed` and `scaling`: one framework in this process, several in a process each."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from bench.names import load_speed_module
from bench.speed.cells import Cell, Results, cells_of, measure_cells
from bench.speed.plans import FRAMEWORKS, MODEL_SHAPES, Framework


@dataclass(frozen=True)
class Request:
    """What was asked for; None is what the framework's plan says.

    Attributes:
        kind: The command.
        devices: Names of devices; None are those that are here.
        shapes: Names that `bench.paired.shapes_of` knows.
        dtypes: Types of the parameters, gradients and state.
        variants: Names of variants; those that a framework has not are left to the others.
        seconds: How long the rounds of a cell go on.
        threads: Number of threads on the CPU; None leaves it to the framework.
        output: Folder of the files.
        again: As in `bench.speed.cells.measure_cells`.
    """

    kind: str
    output: Path
    devices: tuple[str, ...] | None = None
    shapes: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] | None = None
    variants: tuple[str, ...] | None = None
    seconds: float | None = None
    threads: int | None = None
    again: str | None = None


def cells_for(framework: Framework, request: Request, device: str) -> list[Cell]:
    """The cells that a request asks for on a device."""
    plan = framework.plans[request.kind]
    variants = [variant for variant in request.variants or plan.variants if variant in framework.variants]
    cells = cells_of([device], request.dtypes or plan.dtypes, request.shapes or plan.shapes, variants)
    slow = () if request.variants else plan.small
    return [cell for cell in cells if not (cell.variant in slow and cell.shapes in MODEL_SHAPES)]


def measure_framework(name: str, request: Request) -> list[Path]:
    """Measures a framework in this process, which must have met no other backend of Keras.

    Returns:
        The files, one for each device.

    Raises:
        ModuleNotFoundError: The framework is not installed.
        RuntimeError: It cannot run here.
        ValueError: One of the files is of something else.
    """
    framework = FRAMEWORKS[name]
    plan = framework.plans[request.kind]
    module = load_speed_module(name)
    if request.threads is not None:
        module.set_threads(request.threads)
    seconds = plan.seconds if request.seconds is None else request.seconds
    paths = []
    for device in request.devices or module.devices():
        results = Results(request.output / f"{name}-{request.kind}-{device}.json", request.kind, framework)
        measure_cells(
            cells_for(framework, request, device),
            results,
            lambda cell: module.measure(cell, seconds, plan.transient),
            module.environment(device),
            request.again,
            lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True),
        )
        paths.append(results.path)
    return paths


def measure_frameworks(names: Sequence[str], request: Request) -> tuple[list[Path], list[str]]:
    """Measures several frameworks, one after the other in a process each: pools of threads and memory are a process'.

    Returns:
        The files, and what went wrong: a framework that cannot be measured does not keep the others from it.
    """
    paths: list[Path] = []
    errors = []
    for name in names:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            try:
                paths += process.submit(measure_framework, name, request).result()
            except BrokenProcessPool:
                errors.append(f"{name}: its process ended in the middle of a cell; what was finished is kept")
            except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as error:
                errors.append(f"{name}: {error}")
    return paths, errors
