"""Means with their intervals: a point and a bar for each optimizer, or words where there is no number."""

import math
from collections.abc import Iterable

import altair as alt

from reports.charts.convergence.naming import labels
from reports.figures import Panel, optimizer_scales, panel
from reports.intervals import Interval
from reports.tables import Cell

AXIS = alt.Axis(labelLimit=130)
"""A long name must leave room for the drawing, on a phone, too."""


def interval_panel(
    heading: str,
    title: str,
    rows: dict[str, tuple[Interval, str]],
    reference: float | None = None,
    digits: int = 4,
) -> Panel:
    """Draws them.

    Args:
        heading: the panel's heading.
        title: what the axis shows.
        rows: by optimizer, the interval, and the words in its place where it has no mean.
        reference: where to draw a line across all, such as a difference of 0.
        digits: decimal places in tooltips and for screen readers.
    """
    names = list(rows)
    colour, _, marker = optimizer_scales(names)
    table = [
        {"optimizer": label, "mean": found.mean, "low": found.low, "high": found.high, "n": found.n, "words": words}
        for label, (found, words) in zip(labels(names), rows.values(), strict=True)
    ]
    drawn = [row for row in table if row["mean"] is not None]
    absent = [row for row in table if row["mean"] is None]
    values = _values(found for found, _ in rows.values())
    domain = _domain(values + ([] if reference is None else [reference]))
    y = alt.Y("optimizer:N", sort=labels(names), scale=alt.Scale(domain=labels(names)), title=None, axis=AXIS)
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    colours = alt.Color("optimizer:N", scale=colour, legend=None)
    base = alt.Chart(alt.Data(values=drawn)).encode(y=y, color=colours)
    x = alt.X("mean:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    layers = [
        base.mark_rule(strokeWidth=2.5, aria=False).encode(x=alt.X("low:Q", title=title, scale=scale), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=x,
            shape=alt.Shape("optimizer:N", scale=marker, legend=None),
            tooltip=[
                alt.Tooltip("optimizer:N", title="optimizer"),
                *(alt.Tooltip(f"{key}:Q", title=key, format=f".{digits}f") for key in ("mean", "low", "high")),
                alt.Tooltip("n:Q", title="seeds"),
            ],
        ),
        alt.Chart(alt.Data(values=absent))
        .mark_text(align="left", fontStyle="italic", fontSize=12, aria=False)
        .encode(y=y, x=alt.value(4), text="words:N"),
    ]
    if reference is not None:
        line = alt.Chart(alt.Data(values=[{"mean": reference}]))
        layers.append(line.mark_rule(strokeDash=[4, 4], opacity=0.7, aria=False).encode(x=x))
    described = "; ".join(f"{row['optimizer']} {_said(row, digits)}" for row in table)
    chart = alt.layer(*layers).properties(height=26 * len(names))
    return panel(heading, f"{title}: {described}.", chart)


def begins_at_zero(intervals: Iterable[Interval]) -> bool:
    """Whether the axis of a panel of these has room for 0."""
    low, high = _domain(_values(intervals))
    return low <= 0 <= high


def _values(intervals: Iterable[Interval]) -> list[float]:
    return [value for found in intervals for value in found[1:] if value is not None]


def _domain(values: list[float]) -> list[float]:
    if not values:
        return [0, 1]
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 0.05
    return [low - room, high + room]


def _said(row: dict, digits: int) -> str:
    if row["mean"] is None:
        return row["words"]
    ends = "" if row["low"] is None else f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
    return f"{row['mean']:.{digits}f}{ends}"


def cells(found: Interval, digits: int, missing: str) -> list[Cell]:
    """Mean, low and high; a mean of one value has no interval."""
    alone = "no mean" if found.mean is None else "one seed has no interval"
    reasons = (missing, alone, alone)
    return [
        Cell("", None, reason) if value is None or not math.isfinite(value) else Cell(f"{value:.{digits}f}", value)
        for value, reason in zip(found[1:], reasons, strict=True)
    ]
