"""The largest distance from what was stated, by quantity and adapter."""

from reports.charts.conformance.outcomes import largest, ulp_words
from reports.charts.conformance.sheets import Sheet, sheets
from reports.figures import Chart, Figure
from reports.results import Results
from reports.sources.conformance_results import QUANTITIES
from reports.tables import Cell, Table

LABELS = {"m": "first moment m", "v": "second moment v", "alpha": "strength α", "params": "parameters θ"}


class Distances(Chart):
    """A table for each file."""

    def draw(self, results: Results) -> list[Figure]:
        """A figure for each file that holds a result."""
        return [_figure(sheet) for sheet in sheets(results) if sheet.conformance.results]


def _figure(sheet: Sheet) -> Figure:
    conformance = sheet.conformance
    columns = []
    for adapter in conformance.adapters:
        own = [result for result in conformance.results if result.adapter == adapter.name]
        unseen = {quantity for result in own for quantity in result.not_reported}
        found = largest(own)
        columns.append(
            [
                Cell(ulp_words(found[name]), found[name])
                if name in found
                else Cell("", None, "not reported" if name in unseen else "no distance in the results")
                for name in QUANTITIES[1:]
            ]
        )
    return Figure(
        f"conformance-distances{sheet.suffix}",
        f"Largest distance by quantity{sheet.title}",
        "Over all cases, also those that failed or deviate as expected (there, up to the first step that differs). "
        "The mask has no distance: it must be exact. What an adapter cannot observe is not reported, and a pass says "
        "nothing of it.",
        tables=[
            Table(
                "Largest distance from the stated result, ulp",
                ["quantity", *(adapter.name for adapter in conformance.adapters)],
                [((LABELS[name],), [column[place] for column in columns]) for place, name in enumerate(QUANTITIES[1:])],
            )
        ],
    )
