"""Bars that start at zero, per framework and optimizer; a missing value has words in the bar's place."""

import altair as alt
import pandas as pd

from reports.figures import SYMBOLS, Panel, optimizer_scales, panel
from reports.names import framework_label, in_order, optimizer_label
from reports.tables import frameworks, optimizers


def measured_shapes(rows: pd.DataFrame) -> list[str]:
    """The shapes of which there is something to draw."""
    return in_order(rows.loc[rows["missing"] == "", "shapes"], ())


def bars(heading: str, rows: pd.DataFrame, title: str, unit: str, reference: float | None = None) -> Panel:
    """Draws one bar for each row.

    Args:
        heading: the panel's heading.
        rows: framework, optimizer, value, missing, and `text`, what to write beside the bar.
        title: what the axis measures.
        unit: the values' unit; seconds and bytes get an SI prefix.
        reference: where to draw a dashed line across all bars, such as AdamW's 1.
    """
    names = optimizers(rows)
    colour, _, _ = optimizer_scales(names)
    symbol = SYMBOLS.get(unit)
    ticks = f"format(datum.value, '~s') + '{symbol}'" if symbol else "format(datum.value, '~g')"
    data = rows.assign(
        framework=rows["framework"].map(framework_label), optimizer=rows["optimizer"].map(optimizer_label)
    )
    words = data["text"].where(data["missing"] == "", "missing: " + data["missing"])
    data = data.assign(label=data["optimizer"] + " " + words)[["framework", "optimizer", "value", "label", "missing"]]
    # The words beside the longest bar need about as much room as the bar.
    end = max(float(data["value"].fillna(0).max()), reference or 0) * 2 or 1
    x = alt.X(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(labelExpr=ticks, tickCount=5),
    )

    def layer(part: pd.DataFrame) -> alt.Chart:
        return alt.Chart(part).encode(
            y=alt.Y("framework:N", sort=list(map(framework_label, frameworks(rows))), title=None),
            yOffset=alt.YOffset("optimizer:N", sort=list(map(optimizer_label, names))),
        )

    drawn, absent = data[data["missing"] == ""], data[data["missing"] != ""]
    layers = [
        layer(drawn)
        .mark_bar()
        .encode(x=x, color=alt.Color("optimizer:N", scale=colour, legend=None), tooltip=["framework", "label"]),
        layer(drawn).mark_text(align="left", dx=5, fontSize=12, aria=False).encode(x=x, text="label:N"),
        layer(absent)
        .mark_text(align="left", dx=5, fontSize=12, fontStyle="italic", limit=240, aria=False)
        .encode(x=alt.XDatum(0), text="label:N"),
    ]
    if reference is not None:
        line = alt.Chart(pd.DataFrame({"value": [reference]}))
        layers.append(line.mark_rule(strokeDash=[4, 4], opacity=0.7, aria=False).encode(x=x))
    chart = alt.layer(*layers).properties(height=22 * len(names) * len(frameworks(rows)))
    described = "; ".join(data["framework"] + ", " + data["label"])
    return panel(heading, f"{title}: {described}.", chart)
