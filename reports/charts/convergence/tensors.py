"""Alpha and the part that the mask kept, tensor by tensor over training (figures 4 and 5 of the AlphaAdam paper)."""

import warnings
from typing import NamedTuple

import altair as alt
import numpy as np
from numpy.typing import NDArray

from reports.anchors import slug, unique
from reports.charts.convergence.naming import Named, lines, named
from reports.charts.convergence.seeds import at_most, members, rounded
from reports.figures import Chart, Data, Field, Figure, Panel, optimizer_scales, panel
from reports.names import listing, optimizer_label
from reports.results import Results
from reports.sources.fields import shortened
from reports.sources.trials import Trial

CELLS = 4000
"""Most cells of a heat map: of many tensors fewer steps are shown."""
DIGITS = 4
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
TITLES = {"alpha": "α", "maskFraction": "part kept by the mask"}
STEMS = {"alpha": "alpha", "maskFraction": "mask"}
NAMES = {
    "alpha": "α by tensor over training",
    "maskFraction": "What the mask keeps, by tensor over training",
}


class Seen(NamedTuple):
    """One quantity of one optimizer: the median over seeds, by observed step and tensor."""

    steps: list[int]
    tensors: list[str]
    values: NDArray[np.float64]
    seeds: int


class Tensors(Chart):
    """A heat map for each optimizer, and the quantiles over tensors of all of them."""

    def __init__(self, quantity: str) -> None:
        self.quantity = quantity

    def draw(self, results: Results) -> list[Figure]:
        return [figure for item in named(results) if (figure := _figure(item, self.quantity))]


def seen(trials: list[Trial], quantity: str) -> Seen | None:
    """The median over the seeds whose records have the quantity, at the steps that all of these have."""
    having = [trial for trial in trials if quantity in trial.tensors]
    if not having:
        return None
    names = having[0].header["tensors"]
    having = [trial for trial in having if trial.header["tensors"] == names]
    steps = sorted(set.intersection(*({int(step) for step in trial.tensors[quantity][0]} for trial in having)))
    if not steps or not names:
        return None
    stack = np.stack([values[np.isin(at, steps)] for at, values in (trial.tensors[quantity] for trial in having)])
    with warnings.catch_warnings():  # of a tensor that no seed observed the median is NaN, and stays empty
        warnings.simplefilter("ignore", RuntimeWarning)
        return Seen(steps, [_tensor(name) for name in names], np.nanmedian(stack, axis=0), len(having))


def _tensor(name: object) -> str:
    return shortened(name) if isinstance(name, str) else "unnamed"


def _figure(item: Named, quantity: str) -> Figure | None:
    found = {}
    for name in item.optimizers:
        of_one = seen(members(item.comparison.trials.get(name, ())), quantity)
        # Ablations have α = 1 everywhere: there is nothing to see.
        if of_one is not None and not (quantity == "alpha" and np.all(of_one.values == 1)):
            found[name] = of_one
    if not found:
        return None
    anchor = f"{STEMS[quantity]}-{item.slug}"
    taken = {f"{anchor}--quantiles"}
    maps = {
        name: _map_data(unique(f"{anchor}--{slug(name)}", taken), name, of_one, quantity)
        for name, of_one in found.items()
    }
    quantiles = _quantile_data(f"{anchor}--quantiles", found, quantity)
    seeds = listing([f"{of_one.seeds} of {optimizer_label(name)}" for name, of_one in found.items()])
    what = {
        "alpha": "α makes up for what the mask takes away: 1 where nothing is masked, capped at 2 by AlphaAdam's rule "
        'and at 1000 by the rule "count", which Cautious AdamW uses.',
        "maskFraction": "The part of a tensor's coordinates that were updated: 1 where nothing is masked.",
    }[quantity]
    return Figure(
        anchor,
        f"{NAMES[quantity]}: {item.title}",
        f"{what} Observed at some steps; medians over final seeds ({seeds}). {_summary(found)} "
        "The maps have a row for each tensor, from the model's input to its output; the last drawing has the median "
        "over tensors and bands that hold the middle 50 % and 80 % of them.",
        [
            *(_heat_map(data.anchor, name, of_one, quantity, found) for (name, of_one), data in _both(found, maps)),
            _quantile_panel(quantiles.anchor, list(found), quantity),
        ],
        data=[*maps.values(), quantiles],
        legend=lines(list(found)),
        missing=_thinned(found),
    )


def _both(found: dict[str, Seen], maps: dict[str, Data]) -> list[tuple[tuple[str, Seen], Data]]:
    return [((name, of_one), maps[name]) for name, of_one in found.items()]


def _summary(found: dict[str, Seen]) -> str:
    parts = [
        f"{optimizer_label(name)} {np.nanmedian(of_one.values[-1]):.3g}"
        for name, of_one in found.items()
        if np.isfinite(of_one.values[-1]).any()
    ]
    return f"Median over tensors at the last of these steps: {listing(parts)}." if parts else ""


def _shown_steps(of_one: Seen) -> list[int]:
    return at_most(of_one.steps, max(2, CELLS // len(of_one.tensors)))


def _thinned(found: dict[str, Seen]) -> list[str]:
    return [
        f"{optimizer_label(name)}: the map shows {len(_shown_steps(of_one))} of {len(of_one.steps)} observed steps."
        for name, of_one in found.items()
        if len(_shown_steps(of_one)) < len(of_one.steps)
    ]


def _map_data(anchor: str, name: str, of_one: Seen, quantity: str) -> Data:
    """A row for each tensor, a column for each step: a third of the size of a row for each cell."""
    steps = _shown_steps(of_one)
    columns = of_one.values[np.isin(of_one.steps, steps)]
    rows: list[tuple[str | float | None, ...]] = [
        (number, tensor, *(rounded(float(value), DIGITS) for value in columns[:, number]))
        for number, tensor in enumerate(of_one.tensors)
    ]
    return Data(
        anchor,
        f"{TITLES[quantity]} of {optimizer_label(name)}, median over {of_one.seeds} seeds, by tensor and step "
        f"({DIGITS} significant digits)",
        [Field("number", "number"), Field("tensor", "tensor"), *(Field(f"s{step}", f"step {step}") for step in steps)],
        rows,
    )


def _heat_map(anchor: str, name: str, of_one: Seen, quantity: str, every: dict[str, Seen]) -> Panel:
    steps, count = _shown_steps(of_one), len(of_one.tensors)
    low, high = _range(quantity, list(every.values()))
    chart = (
        alt.Chart(alt.NamedData(anchor))
        .transform_fold([f"s{step}" for step in steps], as_=["at", "value"])
        .transform_calculate(step="toNumber(slice(datum.at, 1))")
        .mark_rect(aria=False)
        .encode(
            x=alt.X("step:O", title="step", axis=alt.Axis(labelAngle=0, labelOverlap=True, labelSeparation=6)),
            y=alt.Y(
                "tensor:N",
                title=None,
                sort=alt.EncodingSortField(field="number", op="min"),
                axis=alt.Axis(labelFontSize=9, labelOverlap=True, labelLimit=150),
            ),
            color=alt.Color(
                "value:Q",
                title=TITLES[quantity],
                scale=alt.Scale(scheme="viridis", domain=[low, high], clamp=True, nice=False),
                legend=alt.Legend(
                    orient="top", labelColor="currentColor", titleColor="currentColor", gradientLength=160
                ),
            ),
            tooltip=[
                alt.Tooltip("tensor:N", title="tensor"),
                alt.Tooltip("step:Q", title="step"),
                alt.Tooltip("value:Q", title=TITLES[quantity], format=".4g"),
            ],
        )
        .properties(height=min(11 * count, 700))
    )
    first, last = np.nanmedian(of_one.values[0]), np.nanmedian(of_one.values[-1])
    described = (
        f"{TITLES[quantity]} of {count} tensors at {len(steps)} steps; median over tensors {first:.3g} at step "
        f"{of_one.steps[0]}, {last:.3g} at step {of_one.steps[-1]}."
    )
    return panel(optimizer_label(name), described, chart)


def _range(quantity: str, every: list[Seen]) -> tuple[float, float]:
    """One scale for all maps; a few very large α must not make all others look alike."""
    if quantity == "maskFraction":
        return 0, 1
    values = np.concatenate([of_one.values[np.isfinite(of_one.values)] for of_one in every])
    high = float(np.quantile(values, 0.995)) if len(values) else 2.0
    return 1, max(high, 1.01)


def _quantile_data(anchor: str, found: dict[str, Seen], quantity: str) -> Data:
    rows: list[tuple[str | float | None, ...]] = []
    for name, of_one in found.items():
        for step in at_most(of_one.steps, 100):
            values = of_one.values[of_one.steps.index(step)]
            values = values[np.isfinite(values)]
            if len(values):
                marks = np.quantile(values, QUANTILES)
                rows.append((optimizer_label(name), step, *(rounded(float(mark), DIGITS) for mark in marks)))
    fields = [Field("optimizer", "optimizer"), Field("step", "step")]
    fields += [Field(f"q{100 * part:.0f}", f"{100 * part:.0f} %") for part in QUANTILES]
    return Data(anchor, f"{TITLES[quantity]}: quantiles over tensors ({DIGITS} significant digits)", fields, rows)


def _quantile_panel(anchor: str, names: list[str], quantity: str) -> Panel:
    colour, dash, _ = optimizer_scales(names)
    y = alt.Scale(zero=False)
    base = alt.Chart(alt.NamedData(anchor)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, format="~s")),
        color=alt.Color("optimizer:N", scale=colour, legend=None),
    )

    def area(low: str, high: str) -> alt.Chart:
        band = base.mark_area(opacity=0.15, aria=False)
        return band.encode(y=alt.Y(f"{low}:Q", title=TITLES[quantity], scale=y), y2=f"{high}:Q")

    middle = base.mark_line(strokeWidth=1.8).encode(
        y=alt.Y("q50:Q", title=TITLES[quantity], scale=y),
        strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None),
    )
    described = f"{TITLES[quantity]} against steps: median over tensors, bands of the middle 50 % and 80 %."
    layers = alt.layer(area("q10", "q90"), area("q25", "q75"), middle).properties(height=260)
    return panel("Quantiles over tensors", described, layers)
