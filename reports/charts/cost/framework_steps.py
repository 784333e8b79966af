"""Step time and its ratio to AdamW for every variant of a framework on a device."""

from reports.charts.cost.cell_table import DISTURBED, disturbed_note, missing_cells, step_table
from reports.charts.cost.durations import duration
from reports.charts.cost.floor import NO_FLOOR, Floor, floors, where
from reports.charts.cost.intervals import Row, intervals
from reports.charts.cost.settings import (
    FASTEST,
    Group,
    dtypes_in_order,
    groups,
    optimizer_of,
    shapes_in_order,
    variant_label,
)
from reports.figures import Chart, Figure, Key, Panel, legend
from reports.names import OPTIMIZERS, in_order
from reports.results import Results
from reports.sources.speed import Cell

READING = (
    "Points are medians; lines reach from the lower to the upper quartile, so half of the measurements lie within: they"
    " show how much a step varies from round to round, not how sure the median is. The axes count"
    " factors (logarithmic)."
)


class FrameworkSteps(Chart):
    """A figure for each framework and device."""

    def draw(self, results: Results) -> list[Figure]:
        known = floors(results)
        return [_figure(group, known) for group in groups(results, "speed")]


def _figure(group: Group, known: dict[tuple[str, str], Floor]) -> Figure:
    own = {where(cell): known.get(where(cell)) for cell in group.cells}
    shapes = shapes_in_order(group.cells)
    lead = f"Measured on {group.machine}. {_beside(group)} {READING}"
    floor_words = [f"Upright ticks: the memory-bandwidth floor, {floor.words()}" for floor in own.values() if floor]
    return Figure(
        anchor=f"steps-{group.anchor}",
        title=f"Step time: {group.title}",
        lead=" ".join([lead, *floor_words]),
        panels=[
            *(_panel(group.cells, name, "time", known) for name in shapes),
            *(_panel(group.cells, name, "ratio", known) for name in shapes),
        ],
        tables=[step_table(f"{group.title}: seconds per step, and ratio to AdamW", group.cells, known)],
        legend=[
            *legend(in_order((optimizer_of(cell.variant) for cell in group.cells), OPTIMIZERS), lines=False),
            *([Key("memory-bandwidth floor", "currentColor")] if floor_words else []),
        ],
        missing=[
            *disturbed_note(group.cells),
            *missing_cells(group.cells),
            *([] if all(own.values()) else [NO_FLOOR]),
        ],
    )


def _beside(group: Group) -> str:
    to_itself = "*" in group.speed.baseline
    words = "AdamW in the same form" if to_itself else variant_label(group.speed.baseline)
    fastest = FASTEST.get(group.speed.framework) if any(cell.fastest for cell in group.cells) else None
    also = f"; the table has the ratio to {fastest} too" if fastest else ""
    return f"Each variant is measured beside {words}{also}."


def _panel(cells: list[Cell], shapes: str, what: str, known: dict[tuple[str, str], Floor]) -> Panel:
    chosen = [cell for cell in cells if cell.shapes == shapes]
    size = next((f", {cell.parameters:,.0f} parameters" for cell in chosen if cell.parameters), "")
    order = {dtype: place for place, dtype in enumerate(dtypes_in_order(chosen))}
    variants = list(dict.fromkeys(cell.variant for cell in chosen))
    chosen.sort(key=lambda cell: (variants.index(cell.variant), order[cell.dtype]))
    rows = [_row(cell, what, known) for cell in chosen]
    if what == "time":
        return intervals(f"{shapes}: time{size}", rows, "time per step", "seconds")
    return intervals(f"{shapes}: ratio to AdamW", rows, "relative to AdamW", "ratio", 1)


def _row(cell: Cell, what: str, known: dict[tuple[str, str], Floor]) -> Row:
    mark = DISTURBED * cell.disturbed
    names = (variant_label(cell.variant), cell.dtype, optimizer_of(cell.variant))
    if what == "time":
        floor = known[where(cell)].seconds(cell) if where(cell) in known else None
        text = f"{duration(cell.seconds.median)}{mark}" if cell.seconds else f"missing: {cell.missing}"
        return Row(*names, cell.seconds, text, floor)
    text = f"{cell.ratio.median:.2f}×{mark}" if cell.ratio else f"missing: {cell.missing}"
    return Row(*names, cell.ratio, text)
