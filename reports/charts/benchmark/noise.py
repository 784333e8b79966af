"""AdamW timed beside itself: what the step times show where there is nothing to show."""

from typing import NamedTuple

from reports.charts.cost.cell_table import DISTURBED, disturbed_note
from reports.charts.cost.intervals import Row, intervals
from reports.charts.cost.settings import (
    DEVICES,
    Group,
    device_slugs,
    device_title,
    dtypes_in_order,
    form_of,
    groups,
    shapes_in_order,
)
from reports.figures import Chart, Figure, Panel, legend
from reports.names import in_order
from reports.results import Results
from reports.sources.rounds import Quartiles
from reports.sources.speed import Cell
from reports.tables import Cell as TableCell
from reports.tables import Table, decimals, whole


class Noise(NamedTuple):
    """A cell in which AdamW's step was timed beside AdamW's own."""

    group: Group
    cell: Cell
    ratio: Quartiles

    @property
    def label(self) -> str:
        """The framework and form."""
        return f"{self.group.name} {form_of(self.cell.variant)}".strip()


class BesideItself(Chart):
    """A figure for each device."""

    def draw(self, results: Results) -> list[Figure]:
        found = noise(results)
        anchors = addresses(found)
        return [_figure(device, anchors[device], own) for device, own in by_device(found).items()]


def noise(results: Results) -> list[Noise]:
    """All cells of a variant that is its own baseline."""
    return [
        Noise(group, cell, cell.ratio)
        for kind in ("speed", "scaling")
        for group in groups(results, kind)
        for cell in group.cells
        if cell.ratio and cell.variant == group.speed.baseline_of(cell)
    ]


def by_device(found: list[Noise]) -> dict[str, list[Noise]]:
    """CPUs before GPUs."""
    devices = in_order((one.cell.device for one in found), DEVICES)
    return {device: [one for one in found if one.cell.device == device] for device in devices}


def addresses(found: list[Noise]) -> dict[str, str]:
    """The anchor of each device's figure."""
    slugs = device_slugs(one.cell.device for one in found)
    return {device: f"adamw-beside-itself-{address}" for device, address in slugs.items()}


def trusted(found: list[Noise]) -> list[Noise]:
    """Those that no other process disturbed; all, if every one was disturbed."""
    return [one for one in found if not one.cell.disturbed] or found


def farthest(found: list[Noise]) -> Noise:
    """The one whose median is farthest from 1, as a factor."""
    return max(found, key=lambda one: max(one.ratio.median, 1 / one.ratio.median))


def _figure(device: str, anchor: str, found: list[Noise]) -> Figure:
    counted = trusted(found)
    most = farthest(counted)
    of_models = [one for one in found if one.group.speed.kind == "speed"] or found
    return Figure(
        anchor=anchor,
        title=f"AdamW beside itself: {device_title(device)}",
        lead="AdamW's step timed in turn with AdamW's own. Every ratio should be 1; how far they are from it is how far"
        f" the ratios of other optimizers can be off. Farthest of {len(counted)}: {most.ratio.median:.2f}× in"
        f" {most.label} on {most.cell.shapes} in {most.cell.dtype}. Points are medians over pairs of rounds, lines"
        " reach from quartile to quartile.",
        panels=[_panel(of_models, shapes) for shapes in shapes_in_order(one.cell for one in of_models)],
        tables=[_table(found)],
        legend=legend(["adamw"], lines=False),
        missing=disturbed_note([one.cell for one in found]),
    )


def _panel(found: list[Noise], shapes: str) -> Panel:
    own = [one for one in found if one.cell.shapes == shapes]
    order = dtypes_in_order(one.cell for one in own)
    rows = [
        Row(one.label, one.cell.dtype, "adamw", one.ratio, f"{one.ratio.median:.2f}×{DISTURBED * one.cell.disturbed}")
        for dtype in order
        for one in own
        if one.cell.dtype == dtype
    ]
    return intervals(shapes, rows, "AdamW relative to itself", "ratio", 1)


def _table(found: list[Noise]) -> Table:
    rows: list[tuple[tuple[str, ...], list[TableCell]]] = []
    for one in found:
        numbers = [TableCell(decimals(3)(value), value) for value in one.ratio]
        numbers.append(TableCell(whole(one.cell.pairs), one.cell.pairs))
        name = f"{one.label}, {one.group.speed.kind}"
        rows.append(((name, one.cell.shapes, f"{one.cell.dtype}{DISTURBED * one.cell.disturbed}"), numbers))
    columns = ["framework", "shapes", "dtype", *(f"ratio\n{part}" for part in Quartiles._fields), "pairs of\nrounds"]
    return Table("AdamW's ratio to itself", columns, rows, long=True)
