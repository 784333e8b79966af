"""One task trained in several frameworks: their curves laid over one another, seed by seed."""

from typing import NamedTuple

import altair as alt

from reports.anchors import slug, unique
from reports.charts.convergence.framework_agreement import STROKES, Stroke
from reports.charts.convergence.seeds import Band, at_most, band, rounded, union
from reports.figures import Chart, Data, Field, Figure, Key, Panel, panel
from reports.names import FRAMEWORKS, OPTIMIZERS, framework_label, in_order, listing, look, optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.trials import Trial
from reports.tables import Cell, Table

POINTS = 120
LEAST = 1e-6
"""A smaller loss is a mistake; nothing is divided by it."""


class Common(NamedTuple):
    """One optimizer in several frameworks, with the seeds and the rate that all of them have."""

    rate: float
    seeds: list[int]
    bands: dict[str, Band]
    difference: float
    step: int


class Frameworks(Chart):
    """The training losses of the same initial weights and batches in each framework."""

    def draw(self, results: Results) -> list[Figure]:
        tasks: dict[str, dict[str, Comparison]] = {}
        for comparison in results.comparisons:
            tasks.setdefault(comparison.task_digest, {}).setdefault(comparison.framework, comparison)
        taken: set[str] = set()
        found = []
        for of_task in tasks.values():
            if len(of_task) > 1:
                task = next(iter(of_task.values())).task
                found.append(_figure(unique(f"frameworks-{slug(task)}", taken), of_task))
        return found


def _figure(anchor: str, of_task: dict[str, Comparison]) -> Figure:
    frameworks = in_order(of_task, FRAMEWORKS)
    first = of_task[frameworks[0]]
    title = f"The frameworks over one another: {first.task}"
    optimizers = in_order({name for item in of_task.values() for name in item.standings}, OPTIMIZERS)
    found = {name: common for name in optimizers if (common := _common(name, of_task, frameworks))}
    absent = [
        f"{optimizer_label(name)}: no rate and seed was trained in two frameworks."
        for name in optimizers
        if name not in found
    ]
    if not found:
        return Figure(anchor, title, missing=absent)
    strokes = {name: STROKES[min(index, len(STROKES) - 1)] for index, name in enumerate(frameworks)}
    data = _data(f"{anchor}--data", found, first)
    return Figure(
        anchor,
        title,
        "Training loss step by step, median over the seeds that all frameworks of a drawing have, with the same rate, "
        "the same initial weights and the same batches. Differences are of rounding, which grows in training; a "
        "difference in the first steps would be one of the code.",
        [_panel(data.anchor, name, common, strokes, first.unit) for name, common in found.items()],
        [_table(found)],
        [data],
        [
            Key(framework_label(name), "currentColor", stroke.dash, "", stroke.width, stroke.opacity)
            for name, stroke in strokes.items()
        ],
        absent,
    )


def _common(optimizer: str, of_task: dict[str, Comparison], frameworks: list[str]) -> Common | None:
    """The rate that most frameworks have, and the seeds that all of these have."""
    trials = {
        name: [trial for trial in of_task[name].trials.get(optimizer, ()) if trial.outcome == "finished"]
        for name in frameworks
    }
    rates = [found[0].rate for found in trials.values() if found]
    rate = max(rates, key=lambda rate: (rates.count(rate), -rate), default=None)
    having = {name: {t.seed: t for t in found} for name, found in trials.items() if found and found[0].rate == rate}
    seeds = sorted(set.intersection(*map(set, having.values()))) if len(having) > 1 else []
    if rate is None or not seeds:
        return None
    chosen: dict[str, list[Trial]] = {name: [of_one[seed] for seed in seeds] for name, of_one in having.items()}
    steps = union([trial.training for of_one in chosen.values() for trial in of_one])
    bands = {
        name: found
        for name, of_one in chosen.items()
        if (found := band(of_one, [trial.training for trial in of_one], at_most(steps, POINTS)))
    }
    difference, step = _largest(chosen)
    return Common(rate, seeds, bands, difference, step) if len(bands) > 1 and step else None


def _largest(chosen: dict[str, list[Trial]]) -> tuple[float, int]:
    """The largest (largest - smallest) / smallest loss over frameworks, of any seed and step, and its step."""
    largest, at = 0.0, 0
    for of_seed in zip(*chosen.values(), strict=True):
        curves = [dict(zip(t.training.steps.tolist(), t.training.values.tolist(), strict=True)) for t in of_seed]
        for step in sorted(set.intersection(*map(set, curves))):
            losses = [curve[step] for curve in curves]
            relative = _relative(losses)
            if not at or relative > largest:
                largest, at = relative, step
    return largest, at


def _relative(losses: list[float]) -> float:
    """(largest - smallest) / smallest, of losses that a training can have."""
    return (max(losses) - min(losses)) / max(abs(min(losses)), LEAST)


def _data(anchor: str, found: dict[str, Common], comparison: Comparison) -> Data:
    columns = [Field("optimizer", "optimizer"), Field("framework", "framework"), Field("step", "step")]
    columns += [Field("median", f"median training loss ({comparison.unit})")]
    rows: list[tuple[str | float | None, ...]] = [
        (optimizer_label(optimizer), framework_label(framework), int(step), rounded(median))
        for optimizer, common in found.items()
        for framework, of_one in common.bands.items()
        for step, median in zip(of_one.steps, of_one.median, strict=True)
    ]
    return Data(anchor, f"Training loss of {comparison.task} by framework, 7 significant digits", columns, rows)


def _panel(anchor: str, optimizer: str, common: Common, strokes: dict[str, Stroke], unit: str) -> Panel:
    layers = []
    for framework in common.bands:
        stroke = strokes[framework]
        layers.append(
            alt.Chart(alt.NamedData(anchor))
            .transform_filter(
                (alt.datum.optimizer == optimizer_label(optimizer))
                & (alt.datum.framework == framework_label(framework))
            )
            .mark_line(
                color="currentColor" if stroke.dash else look(optimizer).colour,
                strokeWidth=stroke.width,
                opacity=stroke.opacity,
                strokeCap="round",
                strokeDash=[int(part) for part in stroke.dash.split()] or [1, 0],
                description=framework_label(framework),
            )
            .encode(
                x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, format="~s")),
                y=alt.Y("median:Q", title=unit, scale=alt.Scale(zero=False)),
            )
        )
    names = listing([framework_label(name) for name in common.bands])
    described = f"Median training loss of {names} against steps, {_finding(common)}."
    return panel(optimizer_label(optimizer), described, alt.layer(*layers).properties(height=260))


def _finding(common: Common) -> str:
    seeds = "1 seed" if len(common.seeds) == 1 else f"{len(common.seeds)} seeds"
    return f"{seeds}, rate {common.rate:g}; largest relative difference {common.difference:.1e} at step {common.step}"


def _table(found: dict[str, Common]) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name, common in found.items():
        last = _relative([float(of_one.median[-1]) for of_one in common.bands.values()])
        rows.append(
            (
                (optimizer_label(name), listing([framework_label(item) for item in common.bands])),
                [
                    Cell(f"{common.rate:g}", common.rate),
                    Cell(str(len(common.seeds)), float(len(common.seeds))),
                    Cell(f"{common.difference:.1e}", common.difference),
                    Cell(str(common.step), float(common.step)),
                    Cell(f"{last:.1e}", last),
                ],
            )
        )
    columns = ["optimizer", "frameworks", "rate", "seeds", "largest relative\ndifference", "at step"]
    columns.append("difference of the\nlast medians")
    return Table("How far the frameworks' training losses differ, (largest - smallest) / smallest", columns, rows)
