"""Step time and ratio to AdamW against the number of parameters and of tensors."""

from typing import NamedTuple

import altair as alt
import pandas as pd

from reports.anchors import slug, unlike
from reports.charts.cost.cell_table import disturbed_note, missing_cells, step_table
from reports.charts.cost.durations import duration
from reports.charts.cost.floor import NO_FLOOR, Floor, floors, where
from reports.charts.cost.intervals import drawn
from reports.charts.cost.settings import (
    Group,
    dtypes_in_order,
    form_of,
    groups,
    optimizer_of,
    variant_label,
)
from reports.charts.cost.ticks import log_ticks
from reports.figures import Chart, Figure, Key, Panel, panel
from reports.names import OPTIMIZERS, in_order, look
from reports.results import Results
from reports.sources.speed import Cell

FEWEST = 3
"""Points that make a line worth drawing."""
FORMS = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])


class Family(NamedTuple):
    """Tensors of which one number grows and another stays the same.

    Attributes:
        title: what stays the same.
        axis: what grows, "parameters" or "tensors".
        cells: the steps on them.
    """

    title: str
    axis: str
    cells: list[Cell]


class Scaling(Chart):
    """A figure for each framework, device and dtype."""

    def draw(self, results: Results) -> list[Figure]:
        known = floors(results)
        found = [(group, dtype) for group in groups(results, "scaling") for dtype in dtypes_in_order(group.cells)]
        anchors = unlike(f"scaling-{slug(group.anchor, dtype)}" for group, dtype in found)
        return [_figure(*of, anchor, known) for of, anchor in zip(found, anchors, strict=True)]


def families(cells: list[Cell]) -> list[Family]:
    """Larger and larger single tensors; more and more tensors of one size; one number of elements in more tensors."""
    sized = [cell for cell in cells if cell.parameters and cell.tensors]
    found = [Family("one tensor", "parameters", [cell for cell in sized if cell.tensors == 1])]
    for size in sorted({(cell.parameters or 0) / (cell.tensors or 1) for cell in sized}):
        own = [cell for cell in sized if cell.parameters == size * (cell.tensors or 0)]
        found.append(Family(f"tensors of {size:,.0f} elements", "tensors", own))
    for whole in sorted({cell.parameters or 0 for cell in sized}):
        own = [cell for cell in sized if cell.parameters == whole]
        found.append(Family(f"{whole:,.0f} elements in all", "tensors", own))
    return [family for family in found if len({getattr(cell, family.axis) for cell in family.cells}) >= FEWEST]


def _figure(group: Group, dtype: str, anchor: str, known: dict[tuple[str, str], Floor]) -> Figure:
    cells = [cell for cell in group.cells if cell.dtype == dtype]
    timed = [cell for cell in cells if cell.seconds]
    floor = next((known[where(cell)] for cell in timed if where(cell) in known), None)
    variants = list(dict.fromkeys(cell.variant for cell in cells))
    several = families(timed)
    lead = (
        f"From few to many tensors and parameters, on {group.machine}: small tensors show what a step costs by itself,"
        " large ones what the memory carries. Points are medians, vertical lines reach from quartile to quartile; both"
        f" axes count factors. The ratio is to {variant_label(group.speed.baseline)}, timed in turn."
    )
    return Figure(
        anchor=anchor,
        title=f"Step time against size: {group.title}, {dtype}",
        lead=f"{lead} Memory-bandwidth floor: {floor.words()}" if floor else lead,
        panels=[
            *(_panel(family, "time", variants, floor) for family in several),
            *(_panel(family, "ratio", variants, None) for family in several),
        ],
        tables=[step_table(f"{group.title}, {dtype}: step time against size", cells, known)],
        legend=[*(_key(variant, variants) for variant in variants), *_floor_keys(variants if floor else [])],
        missing=[
            *disturbed_note(cells),
            *missing_cells(cells),
            *([] if floor else [NO_FLOOR]),
            *([] if several else [f"No chart: there are fewer than {FEWEST} sizes to draw a line through."]),
        ],
    )


def _dash(variant: str, variants: list[str]) -> list[int]:
    """Dashes tell the forms of a step apart; colour and marker its optimizer."""
    forms = list(dict.fromkeys(map(form_of, variants)))
    return list(FORMS[forms.index(form_of(variant)) % len(FORMS)])


def _key(variant: str, variants: list[str]) -> Key:
    dash = _dash(variant, variants)
    colour = look(optimizer_of(variant)).colour
    return Key(variant_label(variant), colour, "" if dash == FORMS[0] else " ".join(map(str, dash)))


def _floor_keys(variants: list[str]) -> list[Key]:
    looks = [look(name) for name in in_order(map(optimizer_of, variants), OPTIMIZERS)]
    return [Key(f"floor of {item.label}", item.colour, "1 3", width=1.5) for item in looks]


def _panel(family: Family, what: str, variants: list[str], floor: Floor | None) -> Panel:
    rows = []
    for cell in family.cells:
        value = cell.seconds if what == "time" else cell.ratio
        assert value is not None  # of every cell of a family, see `_figure`
        rows.append(
            {
                "variant": variant_label(cell.variant),
                "optimizer": look(optimizer_of(cell.variant)).label,
                "size": getattr(cell, family.axis),
                **{part: drawn(end) for part, end in value._asdict().items()},
                "floor": drawn(floor.seconds(cell)) if floor else None,
                "words": duration(value.median) if what == "time" else f"{value.median:.2f}×",
                "shapes": cell.shapes,
            }
        )
    data = pd.DataFrame(rows).astype({"floor": float})
    chart = alt.layer(*_layers(data, family, what, variants)).properties(height=230)
    heading = f"{'Time' if what == 'time' else 'Ratio to AdamW'}: {family.title}"
    ends = data.sort_values("size").groupby("variant", sort=False)
    described = "; ".join(
        f"{name} {part['words'].iloc[0]} at {part['size'].iloc[0]:,.0f}, {part['words'].iloc[-1]} at"
        f" {part['size'].iloc[-1]:,.0f}"
        for name, part in ends
    )
    return panel(heading, f"Against the number of {family.axis}: {described}.", chart)


def _layers(data: pd.DataFrame, family: Family, what: str, variants: list[str]) -> list[alt.Chart]:
    looks = {look(optimizer_of(variant)).label: look(optimizer_of(variant)) for variant in variants}
    labels = list(map(variant_label, variants))
    ends = data[["lower", "upper", "floor"]]
    heading = "time per step" if what == "time" else "relative to AdamW"
    # Said once, in the first layer: Vega-Lite makes one scale and one axis of all layers.
    x = alt.X(
        "size:Q",
        title=f"number of {family.axis}",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(format="~s", values=log_ticks(data["size"].min(), data["size"].max())),
    )
    y = alt.Y(
        "median:Q",
        title=heading,
        scale=alt.Scale(type="log", nice=False, padding=8),
        axis=alt.Axis(
            labelExpr="format(datum.value, '~s') + 's'" if what == "time" else "format(datum.value, '~g')",
            values=log_ticks(float(ends.min().min()), float(ends.max().max())),
        ),
    )

    def at(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=heading)

    shade = alt.Color(
        "optimizer:N",
        legend=None,
        scale=alt.Scale(domain=list(looks), range=[item.colour for item in looks.values()]),
    )
    dashes = alt.Scale(domain=labels, range=[_dash(variant, variants) for variant in variants])
    markers = alt.Scale(domain=list(looks), range=[item.marker for item in looks.values()])
    base = alt.Chart(data).encode(x=alt.X("size:Q", title=f"number of {family.axis}"), color=shade, detail="variant:N")
    layers = [
        base.mark_line(strokeWidth=1.8).encode(
            x=x, y=y, strokeDash=alt.StrokeDash("variant:N", scale=dashes, legend=None)
        ),
        base.mark_rule(aria=False).encode(y=at("lower"), y2="upper:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            y=at("median"),
            shape=alt.Shape("optimizer:N", scale=markers, legend=None),
            tooltip=["variant:N", "shapes:N", "words:N"],
        ),
    ]
    if data["floor"].notna().any():
        line = base.transform_filter("isValid(datum.floor)").mark_line(strokeDash=[1, 3], strokeWidth=1.5, aria=False)
        layers.append(line.encode(y=at("floor"), detail="optimizer:N"))
    if what == "ratio":
        one = alt.Chart(pd.DataFrame({"one": [1]})).mark_rule(strokeDash=[4, 4], opacity=0.7, aria=False)
        layers.append(one.encode(y=at("one")))
    return layers
