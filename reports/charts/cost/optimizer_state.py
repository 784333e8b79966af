"""Bytes of optimizer state, and their ratio to AdamW's."""

import math

import pandas as pd

from reports.charts.cost.bars import bars, measured_shapes
from reports.figures import AsvChart, Figure
from reports.sources.asv_results import AsvResults
from reports.tables import Quantity, by_optimizer, decimals, missing_notes, ratio_to_adamw, whole

BENCHMARK = "memory.OptimizerState.track_state_bytes"


class OptimizerState(AsvChart):
    """What an optimizer keeps in memory beside the parameters."""

    name = "optimizer-state"
    title = "Optimizer state that asv tracks"

    def figure(self, results: AsvResults) -> Figure:
        rows = results.select(BENCHMARK, "optimizer", "shapes")
        rows = rows.assign(ratio=ratio_to_adamw(rows, ["framework", "shapes"]))
        rows = rows.assign(text=[_text(row.value, row.ratio) for row in rows.itertuples()])
        unit = results.units[BENCHMARK]
        return Figure(
            anchor=self.name,
            title=self.title,
            lead="Memory that the optimizer keeps between steps, for parameters of the named shapes.",
            panels=[
                bars(shapes, rows[rows["shapes"] == shapes], "optimizer state", unit)
                for shapes in measured_shapes(rows)
            ],
            tables=[
                by_optimizer(
                    "Optimizer state, and its ratio to the same framework's AdamW",
                    Quantity(unit, rows, whole),
                    Quantity("× AdamW", _ratios(rows), decimals(4)),
                )
            ],
            missing=missing_notes(rows),
        )


def _ratios(rows: pd.DataFrame) -> pd.DataFrame:
    without_adamw = rows["ratio"].isna() & (rows["missing"] == "")
    return rows.assign(value=rows["ratio"], missing=rows["missing"].mask(without_adamw, "no AdamW"))


def _text(value: float, ratio: float) -> str:
    relative = "" if math.isnan(ratio) else f" ({ratio:.2f}×)"
    return f"{value / 1e6:.4g} MB{relative}"
