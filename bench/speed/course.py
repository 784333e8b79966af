"""The course of a measurement, the same in every framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from bench.paired import Step, seconds_in_turn, shapes_of, wall_seconds
from bench.speed.cells import MOST_ROUNDS, Cell, NotMeasurableError

STEPS_BEFORE = 3
"""Steps before any measuring: state is made, kernels are built, torch.compile sees that the step count varies."""
USED_MEMORY = 0.9
"""Part of the free memory that a cell may need: beyond it, systems begin to end processes."""
SAMPLE = 1000
"""Elements of each tensor that must have changed."""


class MeasuredStep(Step, Protocol):
    """A step that can be looked at."""

    def values(self) -> Iterable[Any]:
        """The parameters as NumPy arrays, one after the other."""

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""


def minimal_bytes(variant: str, itemsize: int) -> float:
    """Bytes per parameter that a step cannot do without.

    AdamW reads the parameter, gradient and both moments and writes all but the gradient. AlphaAdam needs both norms
    before it may write a parameter: a first phase reads gradient and moments and writes moments and one mask bit, a
    second reads parameter, moments and bit and writes the parameter.
    """
    return 7 * itemsize if variant.startswith("adamw") else 9 * itemsize + 2 / 8


def check_memory(needed: float, available: float) -> None:
    """Refuses what does not fit, rather than have the system end the process.

    Raises:
        NotMeasurableError: It does not fit.
    """
    if needed > USED_MEMORY * available:
        raise NotMeasurableError(
            f"needs about {needed / 2**30:.1f} GiB of memory; {available / 2**30:.1f} GiB are free, some to be left"
        )


def measure_in_turn(
    cell: Cell,
    itemsize: int,
    steps: Mapping[str, MeasuredStep],
    fresh: Callable[[], Any],
    seconds: float,
    inspect: Callable[[], Mapping[str, Any]] = dict,
    clock: Callable[[Callable[[], object]], float] = wall_seconds,
) -> dict[str, Any]:
    """Measures steps in turn, on the same fresh gradients.

    Args:
        cell: What is measured.
        itemsize: Bytes of an element.
        steps: "seconds", the step that is measured, "baselineSeconds", what it is measured beside, and others.
        fresh: Makes gradients for all.
        seconds: How long the rounds go on.
        inspect: Finds out what else there is to know of the measured step, which has got gradients and may be run.
        clock: Measures a call.

    Returns:
        The seconds of each round under the names of the steps; "parameters", "tensors" and "parameterBytes";
        "minimalBytes", what a step must move; "stateBytes" and "baselineStateBytes"; and what `inspect` returns.

    Raises:
        NotMeasurableError: The measured step does nothing.
    """
    measured = steps["seconds"]
    before = [values.ravel()[:SAMPLE].copy() for values in measured.values()]
    for _ in range(STEPS_BEFORE):
        gradients = fresh()
        for step in steps.values():
            step.take(gradients)
            step.run()
    del gradients
    _check_moved(measured, before)
    measured.take(fresh())
    found = inspect()
    times = seconds_in_turn(list(steps.values()), fresh, budget=seconds, most_rounds=MOST_ROUNDS, clock=clock)
    _check_moved(measured, before)
    parameters = cell.parameters()
    return {
        "parameters": parameters,
        "tensors": len(shapes_of(cell.shapes)),
        "parameterBytes": parameters * itemsize,
        "minimalBytes": round(parameters * minimal_bytes(cell.variant, itemsize)),
        "stateBytes": measured.state_bytes(),
        "baselineStateBytes": steps["baselineSeconds"].state_bytes(),
        **found,
        **{name: [_rounded(value) for value in taken] for name, taken in zip(steps, times, strict=True)},
    }


def _check_moved(step: MeasuredStep, before: list[Any]) -> None:
    import numpy as np

    for values, earlier in zip(step.values(), before, strict=True):
        if not np.isfinite(values).all() or np.array_equal(values.ravel()[:SAMPLE], earlier):
            raise NotMeasurableError(
                f"the step does not do its work: a parameter of shape {values.shape} did not change, or is not finite;"
                " its time would mean nothing"
            )


def _rounded(value: float) -> float:
    """Five digits, which is more than any clock here gives."""
    return float(f"{value:.5g}")
