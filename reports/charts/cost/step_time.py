"""Seconds per optimizer step, and the ratio to the framework's AdamW measured in turn in one process."""

import pandas as pd

from reports.charts.cost.bars import bars
from reports.figures import AsvChart, Figure
from reports.names import in_order
from reports.sources.asv_results import AsvResults
from reports.tables import Quantity, by_optimizer, decimals, missing_notes, significant

SECONDS = "throughput.OptimizerStep.track_step_seconds"
RATIO = "throughput.OptimizerStep.track_ratio_to_adamw"


class StepTime(AsvChart):
    """What one optimizer step costs."""

    name = "step-time"
    title = "Step time"

    def figure(self, results: AsvResults) -> Figure:
        seconds = results.select(SECONDS, "optimizer", "shapes")
        ratio = results.select(RATIO, "optimizer", "shapes")
        seconds = seconds.assign(text=seconds["value"].map(_duration))
        ratio = ratio.assign(text=ratio["value"].map("{:.2f}×".format))
        panels = []
        for shapes in in_order(seconds["shapes"], ()):
            title, unit = "time per step", results.units[SECONDS]
            panels += [
                bars(f"{shapes}: time", seconds[seconds["shapes"] == shapes], title, unit),
                bars(f"{shapes}: ratio", ratio[ratio["shapes"] == shapes], "relative to AdamW", "ratio", 1),
            ]
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="The optimizer step alone, without the model, on parameters of the named shapes. "
            "The ratio to the same framework's AdamW is measured in turn in one process, so that a busy machine "
            "disturbs it less than the time.",
            panels=panels,
            tables=[
                by_optimizer(
                    "Time per optimizer step, and its ratio to the same framework's AdamW",
                    Quantity(results.units[SECONDS], seconds, significant),
                    Quantity("× AdamW", ratio, decimals(3)),
                )
            ],
            missing=missing_notes(pd.concat([seconds, ratio])),
        )


def _duration(seconds: float) -> str:
    factor, unit = next(((f, u) for f, u in ((1, "s"), (1e3, "ms")) if seconds * f >= 1), (1e6, "µs"))
    return f"{seconds * factor:.3g} {unit}"
