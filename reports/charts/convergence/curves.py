"""Validation and training loss of a comparison against steps, tokens and time."""

from collections.abc import Collection
from typing import NamedTuple

import altair as alt
import numpy as np

from reports.charts.convergence.naming import Named, lines, named
from reports.charts.convergence.seeds import DIGITS, Band, band, members, rounded, union, width, windowed
from reports.figures import Chart, Data, Field, Figure, Panel, optimizer_scales, panel
from reports.names import optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.trials import NOT_ENDED

DRAWN_FROM = 0.2
"""Part of the budget whose loss is the top of a drawing: from the very first losses the later ones look alike."""
SPREAD = "Lines are medians over the final seeds, bands reach from the lowest to the highest seed; lower is better."
TIME = (
    "Time is that of training alone, without validation, median over the seeds. Other trials may have run on the "
    "machine at the same time, so it says less than the steps do."
)


class Axis(NamedTuple):
    """What a loss is drawn against."""

    field: str
    words: str
    title: str
    format: str


AXES = (
    Axis("step", "against steps", "step", "~s"),
    Axis("tokens", "against tokens", "tokens", "~s"),
    Axis("seconds", "against time", "seconds of training", "~s"),
)


class ValidationCurves(Chart):
    """The loss on held-out text, seed by seed."""

    def draw(self, results: Results) -> list[Figure]:
        return [figure for item in named(results) if (figure := _validation(item))]


class TrainingCurves(Chart):
    """The loss on the training batches."""

    def draw(self, results: Results) -> list[Figure]:
        return [figure for item in named(results) if (figure := _training(item))]


def _validation(item: Named) -> Figure | None:
    comparison = item.comparison
    bands = {}
    for name in item.optimizers:
        trials = members(comparison.trials.get(name, ()))
        curves = [trial.validation for trial in trials]
        if found := band(trials, curves, union(curves)):
            bands[name] = found
    lead = f"Loss on held-out text within a budget of {comparison.budget:,} steps. {SPREAD}"
    return _figure(item, bands, "validation-curves", "Validation loss", lead, points=True)


def _training(item: Named) -> Figure | None:
    comparison = item.comparison
    bands = {}
    for name in item.optimizers:
        trials = members(comparison.trials.get(name, ()))
        curves = [windowed(trial.training, comparison.budget) for trial in trials]
        if found := band(trials, curves, union(curves)):
            bands[name] = found
    size = width(comparison.budget)
    means = f", each seed's mean over {size} steps" if size > 1 else ""
    lead = f"Loss on the training batches before each step{means}. {SPREAD}"
    return _figure(item, bands, "training-curves", "Training loss", lead, points=False)


def _figure(item: Named, bands: dict[str, Band], stem: str, title: str, lead: str, points: bool) -> Figure | None:
    comparison = item.comparison
    anchor = f"{stem}-{item.slug}"
    missing = [note for name in item.optimizers for note in notes(comparison, name)]
    if not bands:
        why = missing or ["No record of a final trial holds a loss."]
        return Figure(anchor, f"{title}: {item.title}", missing=why) if comparison.standings else None
    domain = _domain(bands.values(), comparison.budget)
    axes = [axis for axis in AXES if axis.field != "tokens" or comparison.tokens_per_step]
    timed = any(np.isfinite(found.seconds).any() for found in bands.values())
    axes = [axis for axis in axes if axis.field != "seconds" or timed]
    data = _data(f"{anchor}--data", f"{title} ({comparison.unit}), {item.title}", bands, comparison)
    return Figure(
        anchor,
        f"{title}: {item.title}",
        lead + _cut(bands.values(), domain[1], comparison.unit) + (f" {TIME}" if timed else ""),
        [_panel(data.anchor, bands, axis, comparison.unit, domain, points) for axis in axes],
        data=[data],
        legend=lines(list(bands)),
        missing=missing,
    )


def notes(comparison: Comparison, name: str) -> list[str]:
    """What has to be known of the trials behind an optimizer's curve, where they are not simply all there."""
    trials, seeds = comparison.trials.get(name, ()), comparison.standings[name].seeds
    label = optimizer_label(name)
    if not trials:
        return [f"{label}: no curve, as no record of a final trial is there."]
    found = []
    if len(trials) < len(seeds):
        found.append(f"{label}: the records of {len(seeds) - len(trials)} of {len(seeds)} final seeds are missing.")
    diverged = sum(trial.outcome == "diverged" for trial in trials)
    if diverged:
        found.append(
            f"{label}: {diverged} of {len(trials)} seeds diverged. From there on they count as higher than every loss; "
            "where that makes the median infinite, the line ends, and the bands are of the others."
        )
    if failed := sum(trial.outcome == "failed" for trial in trials):
        found.append(f"{label}: {failed} of {len(trials)} seeds failed and are not drawn.")
    if running := sum(trial.outcome == NOT_ENDED for trial in trials):
        drawn = "not drawn" if running < len(trials) - failed else "drawn as far as all of them got"
        found.append(f"{label}: {running} of {len(trials)} seeds have not ended and are {drawn}.")
    return found


def _domain(bands: Collection[Band], budget: int) -> tuple[float, float]:
    starts = []
    for found in bands:
        late = found.median[found.steps >= DRAWN_FROM * budget]
        starts.append(float(late[0]) if len(late) else float(found.median.max()))
    low, high = min(float(found.low.min()) for found in bands), max(starts)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 0.05
    return low - room, high + room


def _cut(bands: Collection[Band], top: float, unit: str) -> str:
    """What the drawings leave out, and until which step."""
    last = max((int(step) for found in bands for step in found.steps[found.high > top]), default=0)
    if not last:
        return ""
    steps = "the first step" if last == 1 else f"the first {last:,} steps"
    return f" Losses above {top:.3g} {unit} lie above the drawings: all of them are of {steps}."


def _data(anchor: str, caption: str, bands: dict[str, Band], comparison: Comparison) -> Data:
    tokens = comparison.tokens_per_step
    columns = [Field("optimizer", "optimizer"), Field("step", "step")]
    columns += [Field("tokens", "tokens")] if tokens else []
    columns += [
        Field("seconds", "seconds of training"),
        Field("median", f"median ({comparison.unit})"),
        Field("low", "lowest seed"),
        Field("high", "highest seed"),
        Field("seeds", "seeds"),
    ]
    rows: list[tuple[str | float | None, ...]] = []
    for name, found in bands.items():
        for step, seconds, median, low, high in zip(*found[:5], strict=True):
            row: list[str | float] = [optimizer_label(name), int(step), *([int(step) * tokens] if tokens else [])]
            rows.append((*row, rounded(seconds, 5), rounded(median), rounded(low), rounded(high), found.seeds))
    return Data(anchor, f"{caption}, rounded to {DIGITS} significant digits", columns, rows)


def _panel(
    anchor: str, bands: dict[str, Band], axis: Axis, unit: str, domain: tuple[float, float], points: bool
) -> Panel:
    names = list(bands)
    colour, dash, _ = optimizer_scales(names)
    y = alt.Scale(domain=list(domain), nice=False, zero=False)
    base = alt.Chart(alt.NamedData(anchor)).encode(
        x=alt.X(f"{axis.field}:Q", title=axis.title, axis=alt.Axis(format=axis.format, tickCount=5)),
        color=alt.Color("optimizer:N", scale=colour, legend=None),
    )
    band_ = base.mark_area(opacity=0.18, clip=True, aria=False).encode(
        y=alt.Y("low:Q", title=unit, scale=y), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=1.8, clip=True).encode(
        y=alt.Y("median:Q", title=unit, scale=y), strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None)
    )
    layers = [band_, line]
    if points:
        # Invisible points carry the tooltips: a line has only one.
        layers.append(
            base.mark_point(size=60, opacity=0, filled=True, clip=True, aria=False).encode(
                y=alt.Y("median:Q", title=unit, scale=y),
                tooltip=[
                    alt.Tooltip("optimizer:N", title="optimizer"),
                    alt.Tooltip(f"{axis.field}:Q", title=axis.title),
                    alt.Tooltip("median:Q", title=unit, format=".4f"),
                ],
            )
        )
    ends = ", ".join(f"{optimizer_label(name)} {found.median[-1]:.4f}" for name, found in bands.items())
    return panel(
        axis.words[0].upper() + axis.words[1:],
        f"Median loss in {unit} over seeds {axis.words}; at the end of each line: {ends}.",
        alt.layer(*layers).properties(height=260),
    )
