"""What `python -m bench gpu` found on a GPU, part by part, failures included."""

from collections.abc import Callable

import pandas as pd

from reports.anchors import slug, unlike
from reports.charts.cost.bars import bars
from reports.charts.cost.durations import duration
from reports.figures import Chart, Figure, Panel
from reports.names import OPTIMIZERS, in_order, optimizer_label
from reports.results import Results
from reports.sources.gpu import FINISHED, Gpu, Part
from reports.tables import Cell, Table, decimals, significant, whole

SHOWN = 300
"""Characters of a failed part's last line that are shown."""


class GpuRun(Chart):
    """A figure for each folder; where no GPU was measured, one that says so."""

    def draw(self, results: Results) -> list[Figure]:
        anchors = unlike(slug("gpu", "run", run.name) for run in results.gpus)
        figures = [_figure(run, anchor) for run, anchor in zip(results.gpus, anchors, strict=True)]
        measured = any(run.gpu for run in results.gpus) or any(
            cell.device == "cuda" for speed in results.speeds for cell in speed.cells
        )
        if not measured and (results.speeds or results.histories):
            words = "No GPU was measured: the step times here are of CPUs. `python -m bench gpu` measures a GPU."
            figures.insert(0, Figure("gpu", "GPU", missing=[words]))
        return figures


def _figure(run: Gpu, anchor: str) -> Figure:
    where = run.gpu or "no GPU: the command was only tried"
    return Figure(
        anchor=anchor,
        title=f"GPU run: {run.name}",
        lead=f"{where}, beside {run.machine or 'a processor that the file does not name'}. Every optimizer's step in"
        " PyTorch is timed in turn with AdamW's; the steps in each framework stand above with the others.",
        panels=_panels(run),
        tables=[table for table in (_parts(run), _optimizers(run), _trainings(run)) if table.rows],
        missing=[*map(_trouble, (part for part in run.parts if part.outcome != FINISHED)), *_absent(run)],
    )


def _panels(run: Gpu) -> list[Panel]:
    rows = pd.DataFrame(
        [
            {
                "framework": "torch",
                "optimizer": step.name,
                "value": step.ratio,
                "missing": step.missing if step.missing or step.ratio is not None else "no number",
                "text": "" if step.ratio is None else f"{step.ratio:.2f}×{_time(step.seconds)}",
            }
            for step in run.optimizers
        ]
    )
    if not len(rows):
        return []
    return [bars(f"{run.shapes}: ratio", rows.astype({"value": float}), "relative to AdamW", "ratio", 1)]


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)}"


def _parts(run: Gpu) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = [
        ((part.name, part.outcome), [_cell(part.seconds, decimals(1), "not in the file")]) for part in run.parts
    ]
    return Table("Parts of the run", ["part", "outcome", "seconds"], rows)


def _optimizers(run: Gpu) -> Table:
    steps = {step.name: step for step in run.optimizers}
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name in in_order(steps, OPTIMIZERS):
        step = steps[name]
        numbers = [
            _cell(value, text, step.missing or "no number")
            for value, text in (
                (step.seconds, significant),
                (step.ratio, decimals(3)),
                (step.spread, decimals(3)),
                (step.state_bytes, whole),
            )
        ]
        rows.append(((optimizer_label(name),), numbers))
    columns = ["optimizer", "seconds\nmedian", "ratio to AdamW\nmedian", "ratio\nquartiles apart", "state\nbytes"]
    return Table(f"Steps of every optimizer in PyTorch on {run.shapes or 'unnamed'} tensors", columns, rows)


def _trainings(run: Gpu) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for item in run.trainings:
        per_step = item.seconds / item.steps if item.seconds is not None and item.steps else None
        numbers = [
            _cell(value, text, "not in the file")
            for value, text in (
                (item.steps, whole),
                (item.seconds, decimals(1)),
                (per_step, significant),
                (item.loss, decimals(4)),
            )
        ]
        rows.append(((item.task, item.framework, optimizer_label(item.optimizer)), numbers))
    columns = ["task", "framework", "optimizer", "steps", "seconds", "seconds\nper step", "loss of the\nlast batch"]
    return Table("Trainings, as far as the time let them come", columns, rows)


def _trouble(part: Part) -> str:
    said = part.output.strip().splitlines()
    last = said[-1] if said else ""
    last = last if len(last) <= SHOWN else f"{last[:SHOWN]}…"
    after = "" if part.seconds is None else f" after {part.seconds:.0f} s"
    return f"{part.name}: {part.outcome}{after}{f'; the last that it printed: {last}' if last else ''}."


def _absent(run: Gpu) -> list[str]:
    found = []
    if not run.optimizers:
        found.append("The steps of the optimizers are missing: their part left no file.")
    if not run.trainings:
        found.append("The trainings are missing: no finished training left a file.")
    return found


def _cell(value: float | None, text: Callable[[float], str], missing: str) -> Cell:
    return Cell("", None, missing) if value is None else Cell(text(value), value)
