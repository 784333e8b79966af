"""The statistics of a comparison: means with Student's intervals, paired differences, steps to a loss."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CONFIDENCE = 0.95


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean and Student's confidence interval for it; without an interval for fewer than two values.

    Returns:
        {"n", "mean", "low", "high"}, null where there is none.
    """
    if len(values) < 2:
        return {"n": len(values), "mean": values[0] if values else None, "low": None, "high": None}
    from scipy import stats

    mean = statistics.fmean(values)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return {"n": len(values), "mean": mean, "low": mean - float(half), "high": mean + float(half)}


def paired(differences: Sequence[float]) -> dict[str, Any]:
    """The mean of paired differences with its interval, and p of the two-sided paired t-test that it is 0."""
    found = interval(differences)
    p = None
    if len(differences) >= 2:
        from scipy import stats

        if statistics.stdev(differences) == 0:  # t would be 0/0 or infinite
            p = 1.0 if found["mean"] == 0 else 0.0
        else:
            p = float(stats.ttest_1samp(differences, 0).pvalue)
    return {**found, "p": p}


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's correction: p for each of several tests made at once, so that the risk of any error is the usual one."""
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    largest = 0.0
    for rank, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[name] = largest
    return adjusted


def steps_to(points: Iterable[Mapping[str, Any]], target: float) -> float | None:
    """After how many steps the validation loss first was `target` or less; None if it never was.

    Between two points the loss is taken to be linear. Before the first point nothing is known, so a loss that is
    low enough there counts as reached there.
    """
    before = None
    for point in sorted(points, key=lambda point: point["step"]):
        if point["loss"] <= target:
            if before is None or before["step"] == point["step"]:
                return float(point["step"])
            part = (before["loss"] - target) / (before["loss"] - point["loss"])
            return before["step"] + part * (point["step"] - before["step"])
        before = point
    return None


def verdict(difference: Mapping[str, Any], others: int) -> str:
    """What a paired difference of final losses shows, in words.

    Args:
        difference: With "low", "high" and "pHolm".
        others: How many optimizers are compared with the baseline at once.
    """
    if difference["low"] is None:
        return "too few pairs to say"
    if difference["low"] <= 0 <= difference["high"]:
        return "no difference shown"
    word = "lower loss" if difference["high"] < 0 else "higher loss"
    if difference["pHolm"] < 1 - CONFIDENCE:
        return word
    return f"{word}, but not shown among {others} comparisons"
