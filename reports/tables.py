"""The numbers under a chart as an HTML table, and what is missing from them in words."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from reports.names import FRAMEWORKS, OPTIMIZERS, framework_label, in_order, listing, optimizer_label
from reports.sources.asv_results import MISSING


class Cell(NamedTuple):
    """One number: as shown, exactly as in the file, or the reason why there is none."""

    text: str
    value: float | None = None
    missing: str = ""


ABSENT = Cell("", None, "not run")


class Table(NamedTuple):
    """A table whose first columns name the rows.

    Attributes:
        caption: what the numbers are, with their unit.
        columns: all headers, those of the row headers included.
        rows: (row headers, cells).
        long: whether the page keeps it folded until the reader asks.
        anchor: what links to it and the names of its downloads end with; given by the page where it is empty.
    """

    caption: str
    columns: list[str]
    rows: list[tuple[tuple[str, ...], list[Cell]]]
    long: bool = False
    anchor: str = ""


def number(value: float, missing: str, text: Callable[[float], str]) -> Cell:
    """A cell that shows `text(value)`, or that the value is missing and why."""
    return Cell("", None, missing) if missing else Cell(text(value), value)


def derived(value: float, text: Callable[[float], str], missing: str) -> Cell:
    """A cell for a number that is computed from measured ones; NaN means that one of them is missing."""
    return Cell("", None, missing) if math.isnan(value) else Cell(text(value), value)


def decimals(places: int) -> Callable[[float], str]:
    """Formats with a fixed number of decimal places."""
    return lambda value: f"{value:.{places}f}"


def significant(value: float) -> str:
    """Four significant digits, without an exponent where that stays readable."""
    return f"{value:.4g}" if 1e-6 <= abs(value) < 1e6 or value == 0 else f"{value:.3e}"


def whole(value: float) -> str:
    """A count, with thousands kept apart."""
    return f"{value:,.0f}"


def ratio_to_adamw(rows: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Each value divided by AdamW's at the same `keys`; NaN where either is missing."""
    adamw = rows[rows["optimizer"] == "adamw"].set_index(keys)["value"]
    at_keys = pd.MultiIndex.from_frame(rows[keys])
    return rows["value"] / adamw.reindex(at_keys).to_numpy()


def optimizers(rows: pd.DataFrame) -> list[str]:
    """The optimizers of a table, in the order of the page."""
    return in_order(rows["optimizer"], OPTIMIZERS)


def frameworks(rows: pd.DataFrame) -> list[str]:
    """The frameworks of a table, in the order of the page."""
    return in_order(rows["framework"], FRAMEWORKS)


class Quantity(NamedTuple):
    """One number for each framework, shapes and optimizer: its unit, the rows that hold it, and how it is shown."""

    unit: str
    rows: pd.DataFrame
    text: Callable[[float], str]


def by_optimizer(caption: str, *quantities: Quantity) -> Table:
    """A row for each framework and shapes, a column for each quantity and optimizer."""
    cells = {
        (quantity.unit, row.framework, row.shapes, row.optimizer): number(row.value, row.missing, quantity.text)
        for quantity in quantities
        for row in quantity.rows.itertuples()
    }
    rows = quantities[0].rows
    columns = [(quantity.unit, name) for quantity in quantities for name in optimizers(rows)]
    return Table(
        caption,
        ["framework", "shapes", *(f"{optimizer_label(name)}\n{unit}" for unit, name in columns)],
        [
            (
                (framework_label(framework), shapes),
                [cells.get((unit, framework, shapes, name), ABSENT) for unit, name in columns],
            )
            for framework in frameworks(rows)
            for shapes in in_order(rows["shapes"], ())
        ],
    )


def missing_notes(rows: pd.DataFrame) -> list[str]:
    """One sentence for each framework and reason for which values are missing."""
    notes = []
    for framework in frameworks(rows):
        of_framework = rows[rows["framework"] == framework]
        absent = of_framework[of_framework["missing"] != ""]
        for reason, part in absent.groupby("missing"):
            if len(part) == len(of_framework):
                extent = "everything"
            else:
                names = listing([optimizer_label(name) for name in optimizers(part)])
                at = f" with {listing(in_order(part['shapes'], ()))} shapes" if "shapes" in part else ""
                extent = f"{len(part)} of {len(of_framework)} values ({names}{at})"
            notes.append(f"{framework_label(framework)}: {extent} missing, {reason}: {MISSING[reason]}.")
    return notes
