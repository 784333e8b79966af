"""The frameworks' training curves laid over one another: one panel per optimizer."""

import math
from typing import NamedTuple

import altair as alt
import pandas as pd

from reports.charts.convergence.training_loss import BENCHMARK
from reports.figures import AsvChart, Figure, Key, Panel, padded, panel
from reports.names import framework_label, listing, look, optimizer_label
from reports.sources.asv_results import AsvResults
from reports.tables import Table, decimals, derived, frameworks, missing_notes, number

OPTIMIZERS = ("adamw", "alphaadam")
STEPS = 50


class Stroke(NamedTuple):
    """How one framework's curve is drawn."""

    width: float
    opacity: float
    dash: str


# Curves that agree cover one another: the first is broad and pale, each next one narrower.
STROKES = (Stroke(8, 0.3, ""), Stroke(3, 0.75, ""), Stroke(1.5, 1, "2 5"))


class FrameworkAgreement(AsvChart):
    """Whether the frameworks train the same model alike: their curves, and the largest relative difference."""

    name = "framework-agreement"
    title = "The frameworks over one another"

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(BENCHMARK, "optimizer", "step")
        unit = results.units[BENCHMARK]
        rows = rows[rows["optimizer"].isin(OPTIMIZERS)]
        measured = rows[rows["missing"] == ""]
        strokes = {name: STROKES[min(index, len(STROKES) - 1)] for index, name in enumerate(frameworks(measured))}
        curves = {name: _curves(measured, name) for name in OPTIMIZERS}
        findings = [_finding(name, table) for name, table in curves.items()]
        return Figure(
            anchor=self.name,
            title=self.title,
            lead=f"The task gives every framework the same initial weights and batches. {' '.join(findings)}",
            panels=[
                _panel(name, table, strokes, unit, padded(measured["value"]))
                for name, table in curves.items()
                if len(table)
            ],
            tables=[_table(rows, name, table, unit) for name, table in curves.items()],
            legend=[
                Key(framework_label(name), "currentColor", stroke.dash, "", stroke.width, stroke.opacity)
                for name, stroke in strokes.items()
            ],
            missing=missing_notes(rows),
        )


def _curves(measured: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """Steps by frameworks, and how far apart they are where all have a value: (largest - smallest) / smallest."""
    part = measured[measured["optimizer"] == optimizer]
    curves = part.pivot(index="step", columns="framework", values="value")[frameworks(part)]
    complete = curves.dropna()
    curves["difference"] = (complete.max(axis=1) - complete.min(axis=1)) / complete.min(axis=1)
    return curves


def _finding(optimizer: str, curves: pd.DataFrame) -> str:
    names = [framework_label(name) for name in curves.columns.drop("difference")]
    early = curves.loc[curves.index <= STEPS, "difference"].dropna()
    if len(names) < 2 or early.empty:
        return f"{optimizer_label(optimizer)}: no step was measured in two frameworks, so there is nothing to compare."
    return (
        f"{optimizer_label(optimizer)}: over the first {STEPS} steps ({len(early)} measured in each framework) the "
        f"losses of {listing(names)} differ by at most {_scientific(early.max())} relative (at step {early.idxmax()})."
    )


def _scientific(value: float) -> str:
    """Two digits and a power of ten, written as in 8.8e-5."""
    return f"{value:.1e}".replace("e-0", "e-") if value else "0"


def _panel(optimizer: str, curves: pd.DataFrame, strokes: dict[str, Stroke], unit: str, domain: list[float]) -> Panel:
    layers = []
    for framework in curves.columns.drop("difference"):
        stroke = strokes[framework]
        line = alt.Chart(curves[framework].dropna().rename("value").reset_index()).mark_line(
            color="currentColor" if stroke.dash else look(optimizer).colour,
            strokeWidth=stroke.width,
            opacity=stroke.opacity,
            strokeCap="round",
            strokeDash=[int(part) for part in stroke.dash.split()] or [1, 0],
            description=framework_label(framework),
        )
        layers.append(
            line.encode(
                x=alt.X("step:Q", title="step"),
                y=alt.Y("value:Q", title=unit, scale=alt.Scale(domain=domain, nice=False)),
            )
        )
    description = f"Training loss in {unit} against steps. {_finding(optimizer, curves)}"
    return panel(optimizer_label(optimizer), description, alt.layer(*layers).properties(height=280))


def _table(rows: pd.DataFrame, optimizer: str, curves: pd.DataFrame, unit: str) -> Table:
    names = frameworks(rows)
    cells = {
        (row.step, row.framework): number(row.value, row.missing, decimals(6))
        for row in rows[rows["optimizer"] == optimizer].itertuples()
    }
    differences = {
        step: derived(curves["difference"].get(step, math.nan), _scientific, "not in all") for step, _ in cells
    }
    return Table(
        f"Training loss of {optimizer_label(optimizer)} ({unit}), and (largest - smallest) / smallest",
        ["step", *map(framework_label, names), "relative difference"],
        [((str(step),), [*(cells[step, name] for name in names), differences[step]]) for step in sorted(differences)],
        long=True,
    )
