"""Curves over seeds: their median and the range from the lowest to the highest seed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.sources.trials import NOT_ENDED, Curve, Trial

POINTS = 100
"""Most points of a curve: a figure of a long training must not be larger than one of a short one."""
DIGITS = 7
"""A float32 has no more significant digits."""


class Band(NamedTuple):
    """Median and range over seeds at ascending steps.

    Attributes:
        steps: where.
        seconds: the median over seeds of the time until there, NaN where no record has it.
        median: a seed that has diverged counts as higher than every loss.
        low: the lowest seed.
        high: the highest seed that has not diverged.
        seeds: how many there are, those that diverged among them.
    """

    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    seeds: int


def members(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that make a curve: those that ended; while none has, those that run, as far as all of them got."""
    ended = [trial for trial in trials if trial.outcome in ("finished", "diverged")]
    return ended or [trial for trial in trials if trial.outcome == NOT_ENDED and len(trial.training.steps)]


def band(trials: Sequence[Trial], curves: Sequence[Curve], grid: Sequence[int]) -> Band | None:
    """The band of one curve for each trial, at the steps of `grid` that no trial lacks; None where there is none."""
    if not trials or not len(grid):
        return None
    values = np.full((len(trials), len(grid)), np.nan)
    seconds = np.full_like(values, np.nan)
    for row, (trial, curve) in enumerate(zip(trials, curves, strict=True)):
        _, here, there = np.intersect1d(np.asarray(grid), curve.steps, return_indices=True)
        values[row, here] = curve.values[there]
        seconds[row, here] = curve.seconds[there]
        if trial.outcome == "diverged":
            values[row, np.asarray(grid) >= trial.ended] = np.inf
    median = np.median(values, axis=0)  # NaN as soon as one is NaN
    keep = np.isfinite(median)
    if not keep.any():
        return None
    kept = np.compress(keep, values, axis=1)
    return Band(
        np.asarray(grid, np.int64)[keep],
        np.array([_median(column) for column in np.compress(keep, seconds, axis=1).T]),
        median[keep],
        kept.min(axis=0),
        np.where(np.isfinite(kept), kept, -np.inf).max(axis=0),
        len(trials),
    )


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def union(curves: Sequence[Curve]) -> list[int]:
    """All steps at which one of the curves has a value."""
    return sorted({int(step) for curve in curves for step in curve.steps})


def width(budget: int) -> int:
    """Steps of a window, so that a whole budget has at most `POINTS` of them."""
    return math.ceil(budget / POINTS)


def windowed(curve: Curve, budget: int) -> Curve:
    """The mean of each window of steps, at the window's last step; a window that is not over is left out."""
    size = width(budget)
    if size == 1 or not len(curve.steps):
        return curve
    window = (curve.steps - 1) // size
    ends = np.minimum((np.unique(window) + 1) * size, budget)
    _, first, counts = np.unique(window, return_index=True, return_counts=True)
    means = np.add.reduceat(curve.values, first) / counts
    seconds = curve.seconds[first + counts - 1]
    over = ends <= curve.steps[-1]
    return Curve(ends[over], seconds[over], means[over])


def at_most(steps: Sequence[int], most: int) -> list[int]:
    """The steps, or about evenly spaced ones of them, the first and the last included."""
    if len(steps) <= most:
        return list(steps)
    return [steps[index] for index in np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))]


def rounded(value: float, digits: int = DIGITS) -> float | None:
    """A number with so many significant digits, None if it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
