"""Step times as a table: everything that the charts of them draw."""

from collections.abc import Callable, Sequence

from reports.charts.cost.floor import Floor, where
from reports.charts.cost.settings import variant_label
from reports.sources.rounds import Quartiles
from reports.sources.speed import Cell
from reports.tables import Cell as TableCell
from reports.tables import Table, decimals, significant, whole

DISTURBED = "†"


def step_table(caption: str, cells: Sequence[Cell], floors: dict[tuple[str, str], Floor]) -> Table:
    """A row for each shapes, dtype and variant: seconds, ratio to AdamW, rounds, and the memory-bandwidth floor."""
    with_fastest = any(cell.fastest for cell in cells)
    columns = ["shapes", "dtype", "variant", "parameters", "tensors"]
    columns += [f"{what}\n{part}" for what in ("seconds", "AdamW's seconds", "ratio") for part in Quartiles._fields]
    columns += ["to the fastest\nmedian"] * with_fastest + ["pairs of\nrounds", "floor\nseconds"]
    rows: list[tuple[tuple[str, ...], list[TableCell]]] = []
    for cell in cells:
        floor = floors[where(cell)].seconds(cell) if where(cell) in floors else None
        numbers = [_number(value, cell, whole) for value in (cell.parameters, cell.tensors)]
        numbers += _quartiles(cell.seconds, cell, significant)
        numbers += _quartiles(cell.baseline_seconds, cell, significant)
        numbers += _quartiles(cell.ratio, cell, decimals(3))
        if with_fastest:
            numbers.append(_number(cell.fastest.median if cell.fastest else None, cell, decimals(3), "not measured"))
        numbers += [_number(cell.pairs or None, cell, whole), _number(floor, cell, significant, "no bandwidth known")]
        name = f"{variant_label(cell.variant)}{DISTURBED * cell.disturbed}"
        rows.append(((cell.shapes, cell.dtype, name), numbers))
    return Table(caption, columns, rows, long=True)


def disturbed_note(cells: Sequence[Cell]) -> list[str]:
    """Warns of the times that are marked."""
    most = max((cell.busy or 0 for cell in cells if cell.disturbed), default=0)
    return (
        [f"{DISTURBED} Not to be trusted: other processes kept up to {most:.1f} cores busy meanwhile."] if most else []
    )


def missing_cells(cells: Sequence[Cell]) -> list[str]:
    """One sentence for each reason for which step times are missing."""
    places: dict[str, list[str]] = {}
    for cell in cells:
        if cell.missing:
            name = f"{variant_label(cell.variant)} ({cell.shapes}, {cell.dtype})"
            places.setdefault(cell.missing, []).append(name)
    return [f"Missing: {', '.join(names)}: {reason.rstrip('.')}." for reason, names in places.items()]


def _quartiles(value: Quartiles | None, cell: Cell, text: Callable[[float], str]) -> list[TableCell]:
    return [_number(part, cell, text) for part in value or (None, None, None)]


def _number(
    value: float | None, cell: Cell, text: Callable[[float], str], otherwise: str = "not in the file"
) -> TableCell:
    """A number, or the reason why there is none: that of the whole row, if it has one."""
    return TableCell("", None, cell.missing or otherwise) if value is None else TableCell(text(value), value)
