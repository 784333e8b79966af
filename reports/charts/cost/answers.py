"""What one step of AlphaAdam costs beside AdamW's, in words."""

import math
from collections.abc import Callable

import pandas as pd

from reports.anchors import endings
from reports.charts.cost import optimizer_state, step_time
from reports.charts.cost.memory import need_of
from reports.charts.cost.settings import (
    FASTEST,
    Group,
    device_slugs,
    device_title,
    dtypes_in_order,
    form_of,
    groups,
    optimizer_of,
    title,
)
from reports.figures import Answer
from reports.names import framework_label, listing
from reports.results import Results
from reports.sources.asv_results import AsvResults, MissingBenchmarkError
from reports.sources.speed import Cell
from reports.tables import decimals, frameworks, ratio_to_adamw

SUBJECT = "alphaadam"


def answers(results: Results) -> list[Answer]:
    """AlphaAdam's step time and memory relative to AdamW's, on each device and on each machine that asv measured."""
    found = groups(results, "speed")
    made = []
    for device, address in device_slugs(group.device for group in found).items():
        own = [group for group in found if group.device == device]
        made += [*_step_times(device, f"step-ratio-{address}", own), *_memory(own)]
    ends = endings([history.name for history in results.histories])
    for history, end in zip(results.histories, ends, strict=True):
        for subject, answer in (("Step time", _tracked_time), ("Optimizer state", _tracked_state)):
            try:
                sentence, anchor = answer(history.newest)
                made.append(Answer(sentence, f"{anchor}{end}"))
            except MissingBenchmarkError as error:
                made.append(Answer(f"{subject} is missing from what asv measured: {error}.", "cost"))
    return made


def _chosen(found: list[Group]) -> list[tuple[Group, Cell]]:
    """AlphaAdam's fastest form in each framework, on the largest tensors that most frameworks were measured on."""
    times: dict[tuple[str, str], list[tuple[Group, Cell]]] = {}
    for group in found:
        for cell in group.cells:
            if optimizer_of(cell.variant) == SUBJECT and cell.ratio:
                times.setdefault((cell.shapes, cell.dtype), []).append((group, cell))
    if not times:
        return []
    dtypes = dtypes_in_order(cell for own in times.values() for _, cell in own)

    def rank(settings: tuple[str, str]) -> tuple[int, float, int, str]:
        own = times[settings]
        groups_of = len({group.anchor for group, _ in own})
        return groups_of, max(cell.parameters or 0 for _, cell in own), -dtypes.index(settings[1]), settings[0]

    best: dict[str, tuple[Group, Cell]] = {}
    for group, cell in times[max(times, key=rank)]:
        if group.anchor not in best or _median(cell) < _median(best[group.anchor][1]):
            best[group.anchor] = (group, cell)
    return list(best.values())


def _median(cell: Cell) -> float:
    return cell.seconds.median if cell.seconds else math.inf


def _step_times(device: str, anchor: str, found: list[Group]) -> list[Answer]:
    chosen = _chosen(found)
    if not chosen:
        return []
    machines = "; ".join(dict.fromkeys(group.machine for group in found))
    parts = [f"{_ratio_words(group, cell)} in {_where(group, cell)}" for group, cell in chosen]
    sentence = (
        f"On a {device_title(device)} ({machines}), on {chosen[0][1].shapes} tensors in {chosen[0][1].dtype}, one"
        f" AlphaAdam step takes, relative to AdamW's in the same framework: {'; '.join(parts)}. (Medians over n pairs"
        " of rounds in one process, in brackets the lower and the upper quartile, which are no confidence interval; of"
        f" AlphaAdam's fastest form.){_not_there(found, chosen)}"
    )
    return [Answer(sentence, anchor)]


def _not_there(found: list[Group], chosen: list[tuple[Group, Cell]]) -> str:
    there = {group.speed.framework for group, _ in chosen}
    without = dict.fromkeys(title(group.speed.framework) for group in found if group.speed.framework not in there)
    return f" Missing on these tensors: {listing(list(without))}." if without else ""


def _where(group: Group, cell: Cell) -> str:
    mark = ", while other processes kept the machine busy" if cell.disturbed else ""
    return f"{group.name} {form_of(cell.variant)}{mark}"


def _ratio_words(group: Group, cell: Cell) -> str:
    """The ratio, and whether it is one that AdamW timed beside itself shows too."""
    assert cell.ratio
    words = f"{cell.ratio.median:.2f}× ({cell.ratio.lower:.2f} to {cell.ratio.upper:.2f}, n = {cell.pairs})"
    if _within_noise(group, cell):
        words = f"no difference shown, {words}"
    if cell.fastest:
        fastest = FASTEST.get(group.speed.framework, "the fastest AdamW timed in turn")
        beside = f"{cell.fastest.median:.2f}× ({cell.fastest.lower:.2f} to {cell.fastest.upper:.2f}) beside {fastest}"
        words = f"{beside}, and {words} beside the framework's own AdamW"
    return words


def _within_noise(group: Group, cell: Cell) -> bool:
    """Whether the middle half of the ratios holds 1, or meets that of AdamW beside itself under the same settings."""
    noise = [(1.0, 1.0)]
    for other in group.cells:
        alike = (other.dtype, other.shapes) == (cell.dtype, cell.shapes)
        if alike and other.variant == group.speed.baseline_of(cell) and other.ratio:
            noise.append((other.ratio.lower, other.ratio.upper))
    assert cell.ratio
    return any(low <= cell.ratio.upper and cell.ratio.lower <= high for low, high in noise)


def _memory(found: list[Group]) -> list[Answer]:
    every = [
        cell.state_bytes / cell.baseline_state_bytes
        for group in found
        for cell in group.cells
        if optimizer_of(cell.variant) == SUBJECT and cell.state_bytes is not None and cell.baseline_state_bytes
    ]
    if not every:
        return []
    if all(ratio == 1 for ratio in every):
        state = f"AlphaAdam's state takes exactly as many bytes as AdamW's in all {len(every)} measurements"
    else:
        state = f"AlphaAdam's state takes {min(every):.3f} to {max(every):.3f} times AdamW's bytes (n = {len(every)})"
    parts, unknown = [], []
    for group, cell in _chosen(found):
        words = _transient_words(group, cell)
        parts += [f"{words} in {_where(group, cell)}"] if words else []
        unknown += [] if words else [title(group.speed.framework)]
    step = f"; for the time of a step it allocates, in bytes per parameter, {'; '.join(parts)}" if parts else ""
    gap = f"; what a step allocates is not known in {listing(unknown)}" if unknown else ""
    return [Answer(f"{state}{step}{gap}.", f"memory-{found[0].anchor}")]


def _transient_words(group: Group, cell: Cell) -> str:
    transient = need_of(cell).transient
    if transient is None:
        return ""
    beside = (cell.shapes, cell.dtype, group.speed.baseline_of(cell))
    found = [need_of(other) for other in group.cells if (other.shapes, other.dtype, other.variant) == beside]
    of_adamw = next((f"{need.transient:.2f}" for need in found if need.transient is not None), "not known")
    return f"{transient:.2f} (AdamW {of_adamw})"


def _tracked_time(results: AsvResults) -> tuple[str, str]:
    rows = results.select(step_time.RATIO, "optimizer", "shapes")
    rows = rows[rows["optimizer"] == SUBJECT].rename(columns={"value": "ratio"})
    return f"{_at(results)} one AlphaAdam step takes, relative to AdamW's, {_ranges(rows, decimals(2))}.", "step-time"


def _tracked_state(results: AsvResults) -> tuple[str, str]:
    rows = results.select(optimizer_state.BENCHMARK, "optimizer", "shapes")
    rows = rows.assign(ratio=ratio_to_adamw(rows, ["framework", "shapes"]))
    rows = rows[rows["optimizer"] == SUBJECT]
    known = rows["ratio"].dropna()
    if len(known) and (known == 1).all():
        where = "in each framework" if len(known) == len(rows) else "where both were measured, not everywhere"
        words = f"AlphaAdam's state takes exactly as many bytes as AdamW's {where}"
    else:
        words = f"AlphaAdam's state takes, relative to AdamW's, {_ranges(rows, decimals(3))}"
    return f"{_at(results)} {words}.", "optimizer-state"


def _at(results: AsvResults) -> str:
    return f"By asv, at commit {results.commit[:8]} on {results.machine['machine']},"


def _ranges(rows: pd.DataFrame, text: Callable[[float], str]) -> str:
    """The smallest and largest ratio in each framework, such as "1.21× to 1.30× in PyTorch", and what is missing."""
    parts, without = [], []
    for name in frameworks(rows):
        values = rows.loc[rows["framework"] == name, "ratio"]
        ends = list(dict.fromkeys(f"{text(value)}×" for value in (values.min(), values.max())))
        absent = int(values.isna().sum())
        if absent == len(values):
            without.append(framework_label(name))
        else:
            at = listing(list(rows.loc[(rows["framework"] == name) & rows["ratio"].notna(), "shapes"]))
            parts.append(f"{' to '.join(ends)} in {framework_label(name)}{f' on {at} alone' if absent else ''}")
    missing = f"missing in {listing(without)}" if without else ""
    return "; ".join(filter(None, (listing(parts), missing))) or "an unknown factor (missing)"
