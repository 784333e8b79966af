"""AlphaAdam's step relative to AdamW's in every framework, side by side."""

from reports.charts.cost.cell_table import DISTURBED, disturbed_note
from reports.charts.cost.intervals import Row, intervals
from reports.charts.cost.settings import (
    Group,
    device_slugs,
    device_title,
    dtypes_in_order,
    form_of,
    groups,
    optimizer_of,
    shapes_in_order,
)
from reports.figures import Chart, Figure, Panel, legend
from reports.results import Results
from reports.sources.speed import Cell
from reports.tables import Cell as TableCell
from reports.tables import Table, decimals

SUBJECT = "alphaadam"
METHOD = (
    "One optimizer step alone, without the model; 1 is as fast as AdamW in the same framework on the same tensors (in"
    " PyTorch the fused AdamW, elsewhere AdamW in the same form). Each round gives both the same new gradients, whose"
    " signs are random, and times a step of each, in turn in one process. A ratio is the geometric mean of those of two"
    " rounds, in which each came first once. Points are medians, lines reach from the lower to the upper quartile. The"
    " axis counts factors (logarithmic)."
)


class StepRatio(Chart):
    """A figure for each device."""

    def draw(self, results: Results) -> list[Figure]:
        found = groups(results, "speed")
        return [
            _figure(device, f"step-ratio-{address}", [group for group in found if group.device == device])
            for device, address in device_slugs(group.device for group in found).items()
        ]


def _figure(device: str, anchor: str, chosen: list[Group]) -> Figure:
    cells = [(group, cell) for group in chosen for cell in group.cells if optimizer_of(cell.variant) == SUBJECT]
    machines = dict.fromkeys(group.machine for group in chosen)
    return Figure(
        anchor=anchor,
        title=f"AlphaAdam's step relative to AdamW's: {device_title(device)}",
        lead=f"{METHOD} Measured on {'; '.join(machines)}.",
        panels=[_panel(cells, shapes) for shapes in shapes_in_order(cell for _, cell in cells)],
        tables=[_table(cells)] if cells else [],
        legend=legend([SUBJECT], lines=False),
        missing=disturbed_note([cell for _, cell in cells])
        if cells
        else ["Everything is missing: the files hold no step of AlphaAdam."],
    )


def _panel(cells: list[tuple[Group, Cell]], shapes: str) -> Panel:
    own = [(group, cell) for group, cell in cells if cell.shapes == shapes]
    size = next((f": {cell.parameters:,.0f} parameters" for _, cell in own if cell.parameters), "")
    rows = [
        Row(
            _label(group, cell),
            cell.dtype,
            SUBJECT,
            cell.ratio,
            f"{cell.ratio.median:.2f}×{DISTURBED * cell.disturbed}" if cell.ratio else f"missing: {cell.missing}",
        )
        for dtype in dtypes_in_order(cell for _, cell in own)
        for group, cell in own
        if cell.dtype == dtype
    ]
    return intervals(f"{shapes}{size}", rows, "relative to AdamW", "ratio", 1)


def _table(cells: list[tuple[Group, Cell]]) -> Table:
    """A row for each framework and form, a column for each shapes and dtype."""
    every = [cell for _, cell in cells]
    columns = [(shapes, dtype) for shapes in shapes_in_order(every) for dtype in dtypes_in_order(every)]
    columns = [column for column in columns if any((cell.shapes, cell.dtype) == column for cell in every)]
    found = {(_label(group, cell), cell.shapes, cell.dtype): cell for group, cell in cells}
    rows: list[tuple[tuple[str, ...], list[TableCell]]] = [
        ((label,), [_cell(found.get((label, *column))) for column in columns])
        for label in dict.fromkeys(_label(group, cell) for group, cell in cells)
    ]
    return Table("Ratio of AlphaAdam's step to AdamW's (median)", ["framework", *map("\n".join, columns)], rows)


def _label(group: Group, cell: Cell) -> str:
    return f"{group.name} {form_of(cell.variant)}"


def _cell(cell: Cell | None) -> TableCell:
    if cell is None or cell.ratio is None:
        return TableCell("", None, "not measured" if cell is None else cell.missing)
    text = f"{decimals(2)(cell.ratio.median)} ({cell.ratio.lower:.2f} to {cell.ratio.upper:.2f})"
    return TableCell(text, cell.ratio.median)
