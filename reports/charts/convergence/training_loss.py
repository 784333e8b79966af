"""Training loss against steps: one panel per framework, one curve per optimizer."""

import altair as alt
import pandas as pd

from reports.figures import AsvChart, Figure, Panel, legend, optimizer_scales, padded, panel
from reports.names import framework_label, optimizer_label
from reports.sources.asv_results import AsvResults
from reports.tables import Table, decimals, frameworks, missing_notes, number, optimizers

BENCHMARK = "convergence.TrainingLoss.track_training_loss"


class TrainingLoss(AsvChart):
    """The optimizers' training loss in each framework."""

    name = "training-loss"
    title = "Training loss"

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(BENCHMARK, "optimizer", "step")
        unit = results.units[BENCHMARK]
        measured = rows[rows["missing"] == ""]
        names = optimizers(rows)
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="Loss on the training batches, step by step. One seed per curve, no interval.",
            panels=[_panel(measured, framework, names, unit) for framework in frameworks(measured)],
            tables=[_table(rows, framework, names, unit) for framework in frameworks(measured)],
            legend=legend(names, lines=True),
            missing=missing_notes(rows),
        )


def _panel(measured: pd.DataFrame, framework: str, names: list[str], unit: str) -> Panel:
    colour, dash, _ = optimizer_scales(names)
    part = measured[measured["framework"] == framework]
    data = part[["step", "value"]].assign(optimizer=part["optimizer"].map(optimizer_label))
    base = alt.Chart(data).encode(
        x=alt.X("step:Q", title="step"),
        y=alt.Y("value:Q", title=unit, scale=alt.Scale(domain=padded(measured["value"]), nice=False)),
        color=alt.Color("optimizer:N", scale=colour, legend=None),
    )
    lines = base.mark_line(strokeWidth=1.8).encode(strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None))
    # Invisible points carry the tooltips: a line has only one.
    points = base.mark_point(size=60, opacity=0, filled=True, aria=False).encode(
        tooltip=["optimizer", "step", alt.Tooltip("value:Q", title=unit, format=".4f")]
    )
    ends = part.sort_values("step").groupby("optimizer")["value"].last()
    described = ", ".join(f"{optimizer_label(name)} {ends[name]:.4f}" for name in names if name in ends)
    return panel(
        framework_label(framework),
        f"Training loss in {unit} against steps; at the last step: {described}.",
        (lines + points).properties(height=240),
    )


def _table(rows: pd.DataFrame, framework: str, names: list[str], unit: str) -> Table:
    cells = {
        (row.step, row.optimizer): number(row.value, row.missing, decimals(4))
        for row in rows[rows["framework"] == framework].itertuples()
    }
    steps = sorted({step for step, _ in cells})
    return Table(
        f"Training loss in {framework_label(framework)} ({unit})",
        ["step", *map(optimizer_label, names)],
        [((str(step),), [cells[step, name] for name in names]) for step in steps],
        long=True,
    )
