"""What one step of AlphaAdam costs, in words."""

from collections.abc import Callable

import pandas as pd

from reports.charts.cost import optimizer_state, step_time
from reports.figures import Answer
from reports.names import framework_label, listing
from reports.results import Results
from reports.sources.asv_results import AsvResults, MissingBenchmarkError
from reports.tables import decimals, frameworks, ratio_to_adamw

SUBJECT = "alphaadam"


def answers(results: Results) -> list[Answer]:
    """AlphaAdam's step time and state relative to AdamW's, on each machine that asv measured."""
    found = []
    for history in results.histories:
        for subject, answer in (("Step time", _step_time), ("Optimizer state", _state)):
            try:
                found.append(answer(history.newest))
            except MissingBenchmarkError as error:
                found.append(Answer(f"{subject} is missing: {error}.", "cost"))
    return found


def _step_time(results: AsvResults) -> Answer:
    rows = results.select(step_time.RATIO, "optimizer", "shapes")
    rows = rows[rows["optimizer"] == SUBJECT].rename(columns={"value": "ratio"})
    return Answer(f"One AlphaAdam step takes, relative to AdamW's, {_ranges(rows, decimals(2))}.", "step-time")


def _state(results: AsvResults) -> Answer:
    rows = results.select(optimizer_state.BENCHMARK, "optimizer", "shapes")
    rows = rows.assign(ratio=ratio_to_adamw(rows, ["framework", "shapes"]))
    rows = rows[rows["optimizer"] == SUBJECT]
    if len(rows) and (rows["ratio"] == 1).all():
        sentence = "Its state takes exactly as many bytes as AdamW's in each of them."
    else:
        sentence = f"Its state takes, relative to AdamW's, {_ranges(rows, decimals(3))}."
    return Answer(sentence, "optimizer-state")


def _ranges(rows: pd.DataFrame, text: Callable[[float], str]) -> str:
    """The smallest and largest ratio in each framework, such as "1.21× to 1.30× in PyTorch"."""
    parts = []
    for name in frameworks(rows):
        values = rows.loc[rows["framework"] == name, "ratio"]
        ends = list(dict.fromkeys(f"{text(value)}×" for value in (values.min(), values.max())))
        absent = int(values.isna().sum())
        if absent == len(values):
            parts.append(f"an unknown factor in {framework_label(name)} (missing)")
        else:
            gap = f" ({absent} of {len(values)} shapes missing)" if absent else ""
            parts.append(f"{' to '.join(ends)} in {framework_label(name)}{gap}")
    return listing(parts) or "an unknown factor (missing)"
