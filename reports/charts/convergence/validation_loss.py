"""Validation loss at fixed shares of the step budget: one panel per framework, one point per optimizer."""

import altair as alt
import pandas as pd

from reports.figures import AsvChart, Figure, Panel, legend, optimizer_scales, padded, panel
from reports.names import framework_label, optimizer_label
from reports.sources.asv_results import AsvResults
from reports.tables import Table, decimals, frameworks, missing_notes, number, optimizers

BENCHMARK = "convergence.Convergence.track_validation_loss"


class ValidationLoss(AsvChart):
    """The optimizers' validation loss at each part of the budget, in each framework."""

    name = "validation-loss"
    title = "Validation loss"

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(BENCHMARK, "optimizer", "budget_percent")
        unit = results.units[BENCHMARK]
        measured = rows[rows["missing"] == ""]
        names = optimizers(rows)
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="Loss on held-out text after each part of the step budget; lower is better. "
            "One seed per point, no interval.",
            panels=[_panel(measured, framework, names, unit) for framework in frameworks(measured)],
            tables=[_table(rows, names, unit)],
            legend=legend(names, lines=False),
            missing=missing_notes(rows),
        )


def _panel(measured: pd.DataFrame, framework: str, names: list[str], unit: str) -> Panel:
    colour, _, marker = optimizer_scales(names)
    part = measured[measured["framework"] == framework]
    data = part[["value"]].assign(
        optimizer=part["optimizer"].map(optimizer_label), budget=part["budget_percent"].map("{} %".format)
    )
    order = [f"{percent} %" for percent in sorted(set(measured["budget_percent"]))]
    # Points of one budget stand beside one another: on top of one another only the last would be seen.
    chart = (
        alt.Chart(data)
        .mark_point(size=70, filled=True, opacity=1)
        .encode(
            x=alt.X("budget:O", sort=order, title="part of the step budget", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("optimizer:N", scale=alt.Scale(domain=list(map(optimizer_label, names)))),
            y=alt.Y("value:Q", title=unit, scale=alt.Scale(domain=padded(measured["value"]), nice=False)),
            color=alt.Color("optimizer:N", scale=colour, legend=None),
            shape=alt.Shape("optimizer:N", scale=marker, legend=None),
            tooltip=["optimizer", "budget", alt.Tooltip("value:Q", title=unit, format=".4f")],
        )
        .properties(height=220)
    )
    return panel(framework_label(framework), f"Validation loss in {unit}; the table has the numbers.", chart)


def _table(rows: pd.DataFrame, names: list[str], unit: str) -> Table:
    cells = {
        (row.framework, row.optimizer, row.budget_percent): number(row.value, row.missing, decimals(4))
        for row in rows.itertuples()
    }
    budgets = sorted(set(rows["budget_percent"]))
    return Table(
        f"Validation loss ({unit})",
        ["framework", "optimizer", *(f"{percent} %" for percent in budgets)],
        [
            (
                (framework_label(framework), optimizer_label(name)),
                [cells[framework, name, percent] for percent in budgets],
            )
            for framework in frameworks(rows)
            for name in names
        ],
    )
