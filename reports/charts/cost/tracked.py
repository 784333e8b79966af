"""What else asv tracks of a step's cost: one figure for each of its benchmarks that knows optimizers."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from reports.charts.cost.bars import bars, measured_shapes
from reports.charts.cost.durations import duration
from reports.figures import AsvChart, Figure, Panel
from reports.names import framework_label
from reports.sources.asv_results import AsvResults
from reports.tables import (
    ABSENT,
    Cell,
    Quantity,
    Table,
    by_optimizer,
    frameworks,
    missing_notes,
    number,
    significant,
    whole,
)

IMPORT = "startup.Import.track_import_seconds"


@dataclass(frozen=True)
class Tracked(AsvChart):
    """Bars of one benchmark, a panel for each shapes where it knows several.

    Attributes:
        name: the figure's anchor.
        title: its heading.
        lead: what was measured.
        benchmark: asv's name.
        measure: what the axis measures.
        text: writes a value beside its bar.
        exact: writes a value into the table.
    """

    name: str
    title: str
    lead: str
    benchmark: str
    measure: str
    text: Callable[[float], str]
    exact: Callable[[float], str]
    shaped: bool = False
    reference: float | None = None

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(self.benchmark, "optimizer", *(["shapes"] if self.shaped else []))
        notes = missing_notes(rows)
        if (rows["missing"] != "").all():
            return Figure(self.name, self.title, self.lead, missing=notes)
        rows = rows.assign(text=rows["value"].map(self.text), **({} if self.shaped else {"shapes": ""}))
        unit = results.units[self.benchmark]
        table = by_optimizer(self.title, Quantity(unit, rows, self.exact))
        return Figure(
            anchor=self.name,
            title=self.title,
            lead=self.lead,
            panels=[self._panel(rows, shapes, unit) for shapes in measured_shapes(rows)],
            tables=[table if self.shaped else _without_shapes(table)],
            missing=notes,
        )

    def _panel(self, rows: pd.DataFrame, shapes: str, unit: str) -> Panel:
        return bars(shapes or self.title, rows[rows["shapes"] == shapes], self.measure, unit, self.reference)


def _without_shapes(table: Table) -> Table:
    """The table without its second column, in which nothing stands."""
    columns = [table.columns[0], *table.columns[2:]]
    return table._replace(columns=columns, rows=[((names[0],), cells) for names, cells in table.rows])


class ImportTime(AsvChart):
    """How long it takes to import AlphaAdam with its framework."""

    name = "import-time"
    title = "Import that asv tracks"

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(IMPORT)
        cells: dict[str, Cell] = {
            row.framework: number(row.value, row.missing, significant) for row in rows.itertuples()
        }
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="Importing AlphaAdam in a fresh process, which imports its framework too; the median of several.",
            tables=[
                Table(
                    "Import",
                    ["framework", "seconds"],
                    [((framework_label(name),), [cells.get(name, ABSENT)]) for name in frameworks(rows)],
                )
            ],
            missing=missing_notes(rows),
        )


TRACKED: tuple[AsvChart, ...] = (
    Tracked(
        "training-step-time",
        "Training step that asv tracks",
        "One training step of gpt2-nano: forward, backward, clipping and the optimizer, until its loss is known. All"
        " optimizers train in turn in one process.",
        "throughput.TrainingStep.track_training_step_seconds",
        "time per training step",
        duration,
        significant,
    ),
    Tracked(
        "step-memory",
        "Memory of a step that asv tracks",
        "The most that a step of the optimizer holds for its own time, by the account of the framework's allocator or"
        " compiler.",
        "memory.StepMemory.track_transient_bytes",
        "memory for the time of a step",
        lambda value: f"{value / 1e6:.4g} MB",
        whole,
        shaped=True,
    ),
    Tracked(
        "kernels-per-step",
        "Kernels of a step that asv tracks",
        "What a step starts on the tensors of gpt2-nano: in JAX and Keras instructions of the optimised HLO that run,"
        " in PyTorch kernels on a GPU, and on a CPU dispatched operators, without the loops that Numba compiled.",
        "throughput.StepKernels.track_kernels_per_step",
        "kernels per step",
        whole,
        whole,
    ),
    Tracked(
        "first-step-time",
        "First step that asv tracks",
        "The first step on the tensors of gpt2-nano in a fresh process with empty caches, in which everything that"
        " compiles is compiled.",
        "startup.FirstStep.track_first_step_seconds",
        "time of the first step",
        duration,
        significant,
    ),
    ImportTime(),
)
