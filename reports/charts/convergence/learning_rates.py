"""How sensitive each optimizer is to its learning rate: the trials of the search."""

import altair as alt

from reports.charts.convergence.naming import Named, named
from reports.figures import Chart, Data, Field, Figure, Panel, legend, optimizer_scales, panel
from reports.names import optimizer_label
from reports.results import Results
from reports.sources.standings import Standing

REACH = 1.15
"""So many times the lowest loss are drawn in their place: rates that hardly train would leave the others no room."""


class LearningRates(Chart):
    """Final loss against learning rate, on the seed of the search."""

    def draw(self, results: Results) -> list[Figure]:
        found = []
        for item in named(results):
            searched = {
                name: standing for name in item.optimizers if (standing := item.comparison.standings[name]).grid
            }
            found += [_figure(item, searched)] if searched else []
        return found


def _figure(item: Named, searched: dict[str, Standing]) -> Figure:
    comparison = item.comparison
    anchor = f"learning-rates-{item.slug}"
    rows: list[tuple[str | float | None, ...]] = [
        (
            optimizer_label(name),
            point.learning_rate,
            point.loss,
            "yes" if point.learning_rate == standing.rate else "no",
            point.outcome,
        )
        for name, standing in searched.items()
        for point in sorted(standing.grid, key=lambda point: point.learning_rate)
    ]
    fields = [
        Field("optimizer", "optimizer"),
        Field("rate", "learning rate"),
        Field("loss", f"validation loss at the end ({comparison.unit})"),
        Field("best", "best"),
        Field("outcome", "outcome"),
    ]
    seed = "one seed" if comparison.search_seed is None else f"one seed, {comparison.search_seed}"
    arrow = " An arrow at the top marks a rate whose trial has no loss at the end, or one above the drawing."
    growth = "".join(_growth(name, standing) for name, standing in searched.items())
    return Figure(
        anchor,
        f"Sensitivity to the learning rate: {item.title}",
        f"Validation loss at the end of the budget for each learning rate of the search, on {seed}, which is none of "
        f"the final ones. The best rate has a ring.{arrow if _lost(rows) else ''} One trial per point, no interval: "
        f"small differences between neighbours mean nothing.{growth}",
        [_panel(anchor, rows, searched, comparison.unit)],
        data=[Data(f"{anchor}--data", f"The search for the learning rates, {item.title}", fields, rows)],
        legend=legend(list(searched), lines=True),
        missing=[note for name, standing in searched.items() for note in _notes(name, standing)],
    )


def _lost(rows: list[tuple[str | float | None, ...]]) -> bool:
    """Whether a rate has no place in the drawing."""
    losses = [loss for _, _, loss, *_ in rows if isinstance(loss, float)]
    return len(losses) < len(rows) or max(losses) > _domain(losses)[1]


def _growth(name: str, standing: Standing) -> str:
    if not standing.added:
        return ""
    rates = "1 rate" if standing.added == 1 else f"{standing.added} rates"
    first = len(standing.grid) - standing.added
    return f" {optimizer_label(name)}'s grid of {first} grew by {rates}, as its best lay at the edge."


def _notes(name: str, standing: Standing) -> list[str]:
    label, rates = optimizer_label(name), [point.learning_rate for point in standing.grid]
    notes = [f"{label}: {standing.remark}."] if standing.remark else []
    if not notes and len(rates) > 1 and standing.rate in (min(rates), max(rates)):
        notes.append(f"{label}: the best rate so far lies at the edge of its grid.")
    for outcome in ("diverged", "failed", "not ended"):
        at = ", ".join(f"{point.learning_rate:g}" for point in standing.grid if point.outcome == outcome)
        if at:
            notes.append(f"{label}: {outcome} at the rate {at}.")
    return notes


def _panel(anchor: str, rows: list[tuple[str | float | None, ...]], searched: dict[str, Standing], unit: str) -> Panel:
    names = list(searched)
    colour, dash, marker = optimizer_scales(names)
    losses = [loss for _, _, loss, *_ in rows if isinstance(loss, float)]
    domain = _domain(losses)
    y = alt.Y("loss:Q", title=unit, scale=alt.Scale(domain=domain, nice=False, zero=False))
    rates = sorted({rate for _, rate, *_ in rows if isinstance(rate, float)})
    ticks = alt.Axis(values=rates, format="~g", labelOverlap=True, labelSeparation=8)
    base = alt.Chart(alt.NamedData(f"{anchor}--data")).encode(
        x=alt.X("rate:Q", title="learning rate", scale=alt.Scale(type="log", nice=False, padding=16), axis=ticks),
        color=alt.Color("optimizer:N", scale=colour, legend=None),
    )
    shape = alt.Shape("optimizer:N", scale=marker, legend=None)
    points = base.transform_filter("isValid(datum.loss)")
    layers = [
        base.mark_line(strokeWidth=1.8, clip=True, invalid="break-paths-filter-domains").encode(
            y=y, strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None)
        ),
        points.mark_point(filled=True, size=60, opacity=1, clip=True).encode(
            y=y,
            shape=shape,
            tooltip=[
                alt.Tooltip("optimizer:N", title="optimizer"),
                alt.Tooltip("rate:Q", title="learning rate", format="~g"),
                alt.Tooltip("loss:Q", title=unit, format=".4f"),
            ],
        ),
        points.transform_filter("datum.best == 'yes'")
        .mark_point(filled=False, size=260, strokeWidth=2, shape="circle", clip=True, aria=False)
        .encode(y=y),
    ]
    if _lost(rows):
        layers.append(
            base.transform_filter(f"!isValid(datum.loss) || datum.loss > {domain[1]!r}")
            .mark_text(text="↑", fontSize=16, fontWeight="bold", baseline="top", aria=False)
            .encode(y=alt.value(0), tooltip=["optimizer:N", alt.Tooltip("rate:Q", format="~g"), "outcome:N", "loss:Q"])
        )
    described = "; ".join(
        f"{optimizer_label(name)} {'none' if standing.rate is None else format(standing.rate, 'g')}"
        for name, standing in searched.items()
    )
    return panel(
        "Loss at the end by learning rate",
        f"Validation loss in {unit} against the learning rate; best rates: {described}.",
        alt.layer(*layers).properties(height=280),
    )


def _domain(losses: list[float]) -> list[float]:
    """From the lowest loss to the highest that is within reach of it, with room for marks above."""
    if not losses:
        return [0, 1]
    low = min(losses)
    high = max(loss for loss in losses if loss <= max(low * REACH, low))
    room = (high - low) * 0.08 or abs(high) * 0.05 or 0.05
    return [low - room, high + room]
