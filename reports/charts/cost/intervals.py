"""A median with the middle half of what was measured, a row for each variant, on a scale of factors."""

from collections.abc import Sequence
from typing import NamedTuple

import altair as alt
import pandas as pd

from reports.charts.cost.ticks import log_ticks
from reports.figures import SYMBOLS, Panel, optimizer_scales, panel
from reports.names import OPTIMIZERS, in_order, optimizer_label
from reports.sources.rounds import Quartiles

ROOM = 0.55
"""Part of the scale beside the longest row that the words there need."""


SHORT = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "float64": "f64"}


class Row(NamedTuple):
    """One line of the drawing.

    Attributes:
        label: names the line; lines of one label stand together.
        group: tells these apart, such as "float32".
        optimizer: gives colour and marker.
        value: median and quartiles, or None where they are missing.
        words: what stands beside it: the number, or why there is none.
        floor: where the memory-bandwidth floor is, if it is known.
    """

    label: str
    group: str
    optimizer: str
    value: Quartiles | None
    words: str
    floor: float | None = None


def intervals(heading: str, rows: Sequence[Row], title: str, unit: str, reference: float | None = None) -> Panel:
    """Draws medians as points and quartiles as the ends of lines.

    Args:
        heading: the panel's heading.
        rows: from top to bottom.
        title: what the axis measures.
        unit: "seconds", "ratio", or another one of the values.
        reference: where to draw a dashed line across all rows, such as AdamW's 1.
    """
    names = in_order((row.optimizer for row in rows), OPTIMIZERS)
    groups, labels = (list(dict.fromkeys(getattr(row, key) for row in rows)) for key in ("group", "label"))
    colour, _, marker = optimizer_scales(names)
    ends = [end for row in rows if row.value for end in (row.value.lower, row.value.upper)]
    ends += [row.floor for row in rows if row.floor and row.value] + ([reference] if reference else [])
    low, high = (min(ends), max(ends)) if ends else (1.0, 1.0)
    low, high = low / 1.1, high * 1.1

    symbol = SYMBOLS.get(unit)
    shown = f"format(datum.value, '~s') + '{symbol}'" if symbol else "format(datum.value, '~g')"
    # Said once, in the first layer: Vega-Lite makes one scale and one axis of all layers.
    scale = alt.Scale(type="log", domain=[low, high * (high / low) ** ROOM], nice=False)
    x = alt.X("lower:Q", title=title, scale=scale, axis=alt.Axis(labelExpr=shown, values=log_ticks(low, high)))
    y = alt.Y("label:N", sort=labels, title=None, scale=alt.Scale(domain=labels))

    def at(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=title)

    several = len(groups) > 1
    data = pd.DataFrame(
        [
            {
                "label": row.label,
                "group": row.group,
                "optimizer": optimizer_label(row.optimizer),
                **{part: drawn(getattr(row.value, part, None)) for part in Quartiles._fields},
                "floor": drawn(row.floor),
                "words": f"{row.words} {SHORT.get(row.group, row.group)}" if several and row.value else row.words,
            }
            for row in rows
        ],
        dtype=object,
    )

    offset = alt.YOffset("group:N", scale=alt.Scale(domain=groups)) if several else alt.Undefined
    present, absent = data[data["median"].notna()], data[data["median"].isna()]
    tooltip = ["label:N", *(["group:N"] if several else []), "words:N"]
    shade = alt.Color("optimizer:N", scale=colour, legend=None)
    base = alt.Chart(present).encode(y=alt.Y("label:N", title=None), yOffset=offset)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=at("median"), color=shade, shape=alt.Shape("optimizer:N", scale=marker, legend=None), tooltip=tooltip
    )
    layers = [
        base.mark_rule(strokeWidth=2.5, aria=False).encode(x=x, y=y, x2="upper:Q", color=shade),
        points,
        base.mark_text(align="left", dx=8, fontSize=11, aria=False).encode(x=at("upper"), text="words:N"),
    ]
    if present["floor"].notna().any():
        ticks = base.transform_filter("isValid(datum.floor)").mark_tick(thickness=2, color="currentColor", aria=False)
        layers.append(ticks.encode(x=at("floor")))
    if len(absent):
        words = alt.Chart(absent).mark_text(align="left", dx=4, fontSize=11, fontStyle="italic", limit=220, aria=False)
        layers.append(words.encode(x=alt.XDatum(low), y=alt.Y("label:N", title=None), text="words:N", yOffset=offset))
    if reference is not None:
        line = alt.Chart(pd.DataFrame({"value": [reference]}))
        layers.append(line.mark_rule(strokeDash=[4, 4], opacity=0.7, aria=False).encode(x=at("value")))
    chart = alt.layer(*layers).properties(height=max(60, 17 * len(rows) + 10))
    described = "; ".join(f"{row.label} {row.group} {row.words}" for row in rows)
    return panel(heading, f"{title}, median and quartiles: {described}.", chart)


def drawn(value: float | None) -> float | None:
    """As exactly as anything can be seen; the tables have all digits."""
    return None if value is None else float(f"{value:.6g}")
