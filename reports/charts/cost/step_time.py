"""By asv: seconds per optimizer step, and the ratio to the framework's AdamW measured in turn in one process."""

import pandas as pd

from reports.charts.cost.bars import bars, measured_shapes
from reports.charts.cost.durations import duration
from reports.figures import AsvChart, Figure
from reports.sources.asv_results import AsvResults, MissingBenchmarkError
from reports.tables import Quantity, by_optimizer, decimals, missing_notes, significant

SECONDS = "throughput.OptimizerStep.track_step_seconds"
RATIO = "throughput.OptimizerStep.track_ratio_to_adamw"
SPREAD = "throughput.OptimizerStep.track_ratio_spread"


class StepTime(AsvChart):
    """What one optimizer step costs."""

    name = "step-time"
    title = "Step time that asv tracks"

    def figure(self, results: AsvResults) -> Figure:
        seconds = results.select(SECONDS, "optimizer", "shapes")
        ratio = results.select(RATIO, "optimizer", "shapes")
        quantities = [
            Quantity(results.units[SECONDS], seconds, significant),
            Quantity("× AdamW", ratio, decimals(3)),
        ]
        notes = missing_notes(pd.concat([seconds, ratio]))
        try:
            spread = results.select(SPREAD, "optimizer", "shapes")
            quantities.append(Quantity("× AdamW, quartiles apart", spread, decimals(3)))
        except MissingBenchmarkError as error:
            notes.append(f"How far the ratio's quartiles are apart is missing: {error}.")
        seconds = seconds.assign(text=seconds["value"].map(duration))
        ratio = ratio.assign(text=ratio["value"].map("{:.2f}×".format))
        panels = []
        for shapes in measured_shapes(seconds):
            panels.append(bars(f"{shapes}: time", _of(seconds, shapes), "time per step", results.units[SECONDS]))
            panels.append(bars(f"{shapes}: ratio", _of(ratio, shapes), "relative to AdamW", "ratio", 1))
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="The optimizer step alone, without the model, on parameters of the named shapes. "
            "The ratio to the same framework's AdamW is measured in turn in one process, so that a busy machine "
            "disturbs it less than the time.",
            panels=panels,
            tables=[
                by_optimizer("Time per optimizer step, and its ratio to the same framework's AdamW", *quantities),
            ],
            missing=notes,
        )


def _of(rows: pd.DataFrame, shapes: str) -> pd.DataFrame:
    return rows[rows["shapes"] == shapes]
