"""How the steps lie in the loss: gradient correlation and directional sharpness, where they were recorded."""

import altair as alt

from reports.charts.convergence.naming import Named, lines, named
from reports.charts.convergence.seeds import DIGITS, Band, at_most, band, members, rounded, union
from reports.figures import Chart, Data, Field, Figure, Panel, optimizer_scales, panel
from reports.names import optimizer_label
from reports.results import Results
from reports.sources.trials import DIRECTIONS

TITLES = {"gradientCorrelation": "Gradient correlation", "directionalSharpness": "Directional sharpness"}
STEMS = {"gradientCorrelation": "correlation", "directionalSharpness": "sharpness"}
POINTS = 100


class Directions(Chart):
    """Both against steps, a panel each."""

    def draw(self, results: Results) -> list[Figure]:
        return [figure for item in named(results) if (figure := _figure(item))]


def _figure(item: Named) -> Figure | None:
    found = {key: bands for key in DIRECTIONS if (bands := _bands(item, key))}
    if not found:
        return None
    anchor = f"directions-{item.slug}"
    data = {key: _data(f"{anchor}--{STEMS[key]}", TITLES[key], bands) for key, bands in found.items()}
    names = [name for name in item.optimizers if any(name in bands for bands in found.values())]
    return Figure(
        anchor,
        f"Direction of the steps: {item.title}",
        "Gradient correlation is the cosine between the step and the negative gradient: 1 for a step of gradient "
        "descent, 0 for one across it, negative for one uphill. Directional sharpness is the curvature of the loss "
        "along the step, lower is flatter. Both on one fixed batch, before the step. Lines are medians over the final "
        "seeds, bands reach from the lowest to the highest seed.",
        [_panel(data[key].anchor, TITLES[key], bands) for key, bands in found.items()],
        data=list(data.values()),
        legend=lines(names),
        missing=[
            f"{optimizer_label(name)}: no record of a seed that did not diverge has them."
            for name in item.optimizers
            if name not in names
        ],
    )


def _bands(item: Named, key: str) -> dict[str, Band]:
    bands = {}
    for name in item.optimizers:
        trials = [trial for trial in members(item.comparison.trials.get(name, ())) if key in trial.directions]
        # A seed that diverged has no direction from there on: unlike a loss, that cannot count as high.
        trials = [trial for trial in trials if trial.outcome != "diverged"]
        curves = [trial.directions[key] for trial in trials]
        if found := band(trials, curves, at_most(union(curves), POINTS)):
            bands[name] = found
    return bands


def _data(anchor: str, title: str, bands: dict[str, Band]) -> Data:
    fields = ["optimizer", "step", "median", "low", "high", "seeds"]
    headings = ["optimizer", "step", "median", "lowest seed", "highest seed", "seeds"]
    rows: list[tuple[str | float | None, ...]] = [
        (optimizer_label(name), int(step), rounded(median), rounded(low), rounded(high), found.seeds)
        for name, found in bands.items()
        for step, median, low, high in zip(found.steps, found.median, found.low, found.high, strict=True)
    ]
    columns = [Field(field, heading) for field, heading in zip(fields, headings, strict=True)]
    return Data(anchor, f"{title}, rounded to {DIGITS} significant digits", columns, rows)


def _panel(anchor: str, title: str, bands: dict[str, Band]) -> Panel:
    names = list(bands)
    colour, dash, _ = optimizer_scales(names)
    y = alt.Scale(zero=False)
    base = alt.Chart(alt.NamedData(anchor)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, format="~s")),
        color=alt.Color("optimizer:N", scale=colour, legend=None),
    )
    layers = [
        base.mark_area(opacity=0.18, aria=False).encode(y=alt.Y("low:Q", title=title.lower(), scale=y), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(
            y=alt.Y("median:Q", title=title.lower(), scale=y),
            strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None),
        ),
    ]
    ends = ", ".join(f"{optimizer_label(name)} {found.median[-1]:.3g}" for name, found in bands.items())
    described = f"{title} against steps, median over seeds; at the last step: {ends}."
    return panel(title, described, alt.layer(*layers).properties(height=260))
