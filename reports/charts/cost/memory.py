"""What an optimizer keeps from step to step, and the most that a step allocates, per parameter."""

from collections.abc import Callable
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from reports.charts.cost.settings import (
    Group,
    dtypes_in_order,
    groups,
    optimizer_of,
    variant_label,
)
from reports.figures import Chart, Figure, Key, Panel, legend, optimizer_scales, panel
from reports.names import OPTIMIZERS, in_order, look
from reports.results import Results
from reports.sources.speed import Cell
from reports.tables import Cell as TableCell
from reports.tables import Table, decimals, whole

SEEN = 2**20
"""Bytes that a process must grow by, beyond half a percent of the parameters, before it is the step's own memory."""
FAINT = 0.45


class Need(NamedTuple):
    """Bytes per parameter; None where they are not known.

    Attributes:
        state: kept from step to step.
        transient: allocated for the time of a step.
        account: who counted `transient`, or why it is not known.
    """

    state: float | None
    transient: float | None
    account: str

    @property
    def peak(self) -> float | None:
        """Both together: what the optimizer needs beside parameters and gradients."""
        return None if self.state is None or self.transient is None else self.state + self.transient


class Memory(Chart):
    """A figure for each framework and device."""

    def draw(self, results: Results) -> list[Figure]:
        return [_figure(group) for group in groups(results, "speed")]


def need_of(cell: Cell) -> Need:
    """What a cell's optimizer needs.

    A process grows by whole pages, and not at all where the step finds room in memory that it had before, so that
    growth is believed only where there is enough of it, and its absence says nothing.
    """
    if cell.missing or not cell.parameters:
        return Need(None, None, cell.missing or "not in the file")
    state = None if cell.state_bytes is None else cell.state_bytes / cell.parameters
    grown = cell.grown_bytes or 0
    if grown - (cell.transient_bytes or 0) > max(SEEN, 0.005 * (cell.parameter_bytes or 0)):
        return Need(state, grown / cell.parameters, "growth of the process")
    if cell.transient_bytes is not None:
        return Need(state, cell.transient_bytes / cell.parameters, "the framework's account")
    return Need(state, None, "not known: the framework does not tell, and the process did not grow visibly")


def _figure(group: Group) -> Figure:
    measured = [cell for cell in group.cells if not cell.missing]
    names = in_order((optimizer_of(cell.variant) for cell in measured), OPTIMIZERS)
    return Figure(
        anchor=f"memory-{group.anchor}",
        title=f"Memory: {group.title}",
        lead="Bytes per parameter that an optimizer needs beside parameters and gradients. Dark: its state, kept from"
        " step to step. Light: the most that a step allocates for its own time, by the account of the framework's"
        " allocator or compiler, or by the growth of the process where that is more. Each variant on the largest"
        " tensors on which it was measured; the table has all.",
        panels=[_panel(measured, dtype) for dtype in dtypes_in_order(measured)],
        tables=[_table(group)],
        legend=[*legend(names, lines=False), Key("for the time of a step", "currentColor", width=8, opacity=FAINT)],
        missing=_missing(group.cells),
    )


def _panel(cells: list[Cell], dtype: str) -> Panel:
    own = sorted((cell for cell in cells if cell.dtype == dtype), key=lambda cell: cell.parameters or 0)
    largest = {cell.variant: cell for cell in own}
    chosen = [largest[variant] for variant in dict.fromkeys(cell.variant for cell in cells) if variant in largest]
    several = len({cell.shapes for cell in chosen}) > 1
    rows: list[dict[str, Any]] = []
    for cell in chosen:
        need = need_of(cell)
        row = {
            "variant": variant_label(cell.variant) + (f", {cell.shapes}" if several else ""),
            "optimizer": look(optimizer_of(cell.variant)).label,
            "words": _words(need),
            "end": (need.state or 0) + (need.transient or 0),
        }
        rows += [{**row, "part": "state", "order": 0, "value": need.state}]
        rows += [{**row, "part": "transient", "order": 1, "value": need.transient}]
    data = pd.DataFrame(rows)
    end = max(row["end"] for row in rows) * 2.2 or 1
    labels = list(dict.fromkeys(row["variant"] for row in rows))
    x = alt.X(
        "value:Q",
        title="bytes per parameter",
        stack="zero",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(tickCount=5),
    )
    base = alt.Chart(data).encode(y=alt.Y("variant:N", sort=labels, title=None))
    colours = optimizer_scales(in_order((optimizer_of(cell.variant) for cell in chosen), OPTIMIZERS))[0]
    bars = base.transform_filter("isValid(datum.value)").mark_bar()
    bars = bars.encode(
        x=x,
        order="order:Q",
        color=alt.Color("optimizer:N", scale=colours, legend=None),
        opacity=alt.condition("datum.part == 'state'", alt.value(1), alt.value(FAINT)),
        tooltip=["variant:N", "words:N"],
    )
    words = base.transform_filter("datum.order == 0").mark_text(align="left", dx=5, fontSize=11, aria=False)
    chart = alt.layer(bars, words.encode(x=alt.X("end:Q", title="bytes per parameter"), text="words:N"))
    described = "; ".join(f"{row['variant']}: {row['words']}" for row in rows if row["order"] == 0)
    heading = dtype if several else f"{dtype}: {chosen[0].shapes}"
    height = max(60, 24 * len(chosen) + 10)
    return panel(heading, f"Bytes per parameter: {described}.", chart.properties(height=height))


def _words(need: Need) -> str:
    if need.state is None:
        return "missing"
    return f"{need.state:.2f} + {'?' if need.transient is None else f'{need.transient:.2f}'} B"


def _table(group: Group) -> Table:
    columns = ["shapes", "dtype", "variant", "state\nbytes", "AdamW's state\nbytes", "state\n× AdamW's"]
    columns += [
        "state\nbytes per parameter",
        "transient\nbytes per parameter",
        "both\nbytes per parameter",
        "both\n× AdamW's",
    ]
    by_name = {(cell.shapes, cell.dtype, cell.variant): cell for cell in group.cells}
    rows: list[tuple[tuple[str, ...], list[TableCell]]] = []
    for cell in group.cells:
        need = need_of(cell)
        beside = by_name.get((cell.shapes, cell.dtype, group.speed.baseline_of(cell)))
        of_adamw = need_of(beside).peak if beside else None
        state_ratio = _divided(cell.state_bytes, cell.baseline_state_bytes)
        numbers = [
            _cell(cell.state_bytes, whole, cell.missing),
            _cell(cell.baseline_state_bytes, whole, cell.missing),
            _cell(state_ratio, decimals(4), cell.missing),
            _cell(need.state, decimals(3), cell.missing),
            _cell(need.transient, decimals(3), need.account),
            _cell(need.peak, decimals(3), need.account),
            _cell(_divided(need.peak, of_adamw), decimals(3), cell.missing or "one of both is not known"),
        ]
        rows.append(((cell.shapes, cell.dtype, variant_label(cell.variant)), numbers))
    return Table(f"{group.title}: memory beside parameters and gradients", columns, rows, long=True)


def _missing(cells: list[Cell]) -> list[str]:
    unknown = [cell for cell in cells if not cell.missing and need_of(cell).transient is None]
    if not unknown:
        return []
    names = ", ".join(dict.fromkeys(variant_label(cell.variant) for cell in unknown))
    return [
        f"What a step allocates for its own time is not known of {len(unknown)} of {len(cells)} steps ({names}): the"
        " framework does not tell, and the process did not grow visibly, which it does not either where it has free"
        " memory."
    ]


def _divided(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _cell(value: float | None, text: Callable[[float], str], missing: str) -> TableCell:
    return TableCell("", None, missing or "not in the file") if value is None else TableCell(text(value), value)
