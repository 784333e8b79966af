"""Figures of the result files of `bench.speed.cells`, and how tables write them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.paired import ratios

BUSY = 0.25
"""Cores that other processes keep busy, on average, above which a figure is marked."""


def is_noisy(record: Mapping[str, Any]) -> bool:
    """Whether other processes disturbed the measurement of a CPU. (Of a GPU they do not, and its host has others.)"""
    return record.get("coresBusyElsewhere", 0) > BUSY and record.get("device", "cpu") == "cpu"


def ratio_quartiles(record: Mapping[str, Any], to: str = "baselineSeconds") -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the ratios to the baseline, or to what else was timed in turn."""
    lower, median, upper = statistics.quantiles(ratios(record, to), n=4, method="inclusive")
    return lower, median, upper


def bytes_per_second(record: Mapping[str, Any]) -> float:
    """Bytes that a step must move, per second."""
    return record["minimalBytes"] / statistics.median(record["seconds"])


def milliseconds(seconds: float) -> str:
    """Three digits."""
    value = seconds * 1e3
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def mark(record: Mapping[str, Any]) -> str:
    """What stands behind a figure that is not to be trusted."""
    return "†" if is_noisy(record) else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """Columns aligned in the source too; those after the first few are numbers, to the right.

    A row that ends early, after a reason, leaves its other columns empty and does not widen them.
    """
    widths = [
        max(len(row[column]) for row in [header, *rows] if len(row) == len(header)) for column in range(len(header))
    ]
    for column in range(text_columns):
        widths[column] = max(len(row[column]) for row in [header, *rows])
    justify: list[Callable[[str, int], str]] = [
        str.ljust if column < text_columns else str.rjust for column in range(len(header))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [*cells, *[""] * (len(header) - len(cells))]
        return f"| {' | '.join(to(cell, width) for to, cell, width in zip(justify, padded, widths, strict=True))} |"

    rule = ["-" * width if column < text_columns else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), f"| {' | '.join(rule)} |", *map(line, rows)])
