"""Markdown tables from the result files of `bench.speed`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.paired import MIN_ROUNDS, ratios
from bench.speed import MOST_ROUNDS, ONE_TENSOR, SPLIT_1E7, TENSORS_OF_1000

MIB = 2**20
BUSY = 0.25
"""Cores that other processes keep busy, on average, above which a figure is marked."""
_METHOD = (
    "Each round gives both optimizers the same new gradients, whose signs are random (about half of the coordinates"
    " masked), and times a step of each, in turn in one process, the order changing from round to round. A ratio is"
    " the geometric mean of those of two rounds, one in either order; of the ratios stand the median and the quartiles."
    " AdamW's ratio to itself is the noise."
    f" Rounds: as many as fit the seconds asked for, {MIN_ROUNDS} to {MOST_ROUNDS}, after 5 that are not counted."
    " Handing over the gradients is not timed. On CUDA, `torch.cuda.Event` times a step from an idle device with a"
    " flushed L2 cache; on a CPU small tensors stay in the caches from step to step."
)
_COLUMNS = (
    " GB/s: bytes that a step must move (float32: AdamW 28 per parameter, AlphaAdam's two phases 36.25), per second."
    " Transient: the most that a step allocates for its own time, by PyTorch's account, in percent of the parameters'"
    " bytes; in brackets by the growth of the process, where that is more by over 0.5 % and 1 MiB. State: bytes kept"
    " from step to step, relative to AdamW's."
)


def render(contents: Sequence[Mapping[str, Any]]) -> str:
    """One text of tables from the contents of result files, those of `speed` before those of `scaling`."""
    parts = []
    for kind, tables in (("speed", _speed_tables), ("scaling", _scaling_tables)):
        ours = [content for content in contents if content["kind"] == kind]
        if any(content["cells"] for content in ours):
            parts += [*tables(ours), *_disturbed(ours), _measured_with(ours)]
    return "\n\n".join(parts) + "\n"


def is_noisy(record: Mapping[str, Any]) -> bool:
    """Whether other processes disturbed the measurement of a CPU. (Of a GPU they do not, and its host has others.)"""
    return record.get("coresBusyElsewhere", 0) > BUSY and record.get("device", "cpu") == "cpu"


def ratio_quartiles(record: Mapping[str, Any]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of the ratios to the baseline."""
    lower, median, upper = statistics.quantiles(ratios(record), n=4, method="inclusive")
    return lower, median, upper


def _speed_tables(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    header = ("device", "dtype", "shapes", "variant", "ratio", "quartiles", "ms", "AdamW ms", "GB/s", "transient")
    rows = [_speed_row(record) for content in contents for record in content["cells"]]
    title = "Time of one step relative to `torch.optim.AdamW(fused=True)` on the same tensors (1 = as fast)."
    return [f"{title} {_METHOD}{_COLUMNS}", _table((*header, "state"), rows, text_columns=4)]


def _speed_row(record: Mapping[str, Any]) -> list[str]:
    head = [record["device"], record["dtype"], record["shapes"], record["variant"]]
    if "reason" in record:
        return [*head, f"not measured: {_escaped(record['reason'])}"]
    lower, median, upper = ratio_quartiles(record)
    return [
        *head,
        f"{median:.2f}{_mark(record)}",
        f"{lower:.2f}–{upper:.2f}",
        _milliseconds(statistics.median(record["seconds"])),
        _milliseconds(statistics.median(record["baselineSeconds"])),
        f"{_bytes_per_second(record) / 1e9:.1f}",
        _transient(record),
        f"{record['stateBytes'] / record['baselineStateBytes']:.4f}",
    ]


def _transient(record: Mapping[str, Any]) -> str:
    if "transientBytes" not in record:
        return ""
    known, whole = record["transientBytes"], record["parameterBytes"]
    grown = record.get("transientResidentBytes", 0)
    unknown = grown - known > max(MIB, 0.005 * whole)
    return f"{100 * known / whole:.1f} %" + (f" ({100 * grown / whole:.1f} %)" if unknown else "")


def _scaling_tables(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    records = [record for content in contents for record in content["cells"]]
    parts = [
        "Time of one step from few to many tensors and parameters, and its ratio to `torch.optim.AdamW(fused=True)` on"
        f" the same tensors. {_METHOD}",
        "Launch overhead and bandwidth apart. Per step and per tensor: time ≈ a + b · tensors, fitted to tensors of"
        " 1000 elements each by least squares of the relative deviation, whose largest stands beside; b includes the"
        " arithmetic of 1000 elements. GB/s: at the largest single tensor, bytes as a step must move them.",
        *_summary(records),
    ]
    for title, family in (
        ("More and more tensors of 1000 elements", TENSORS_OF_1000),
        ("10,000,000 elements in more and more tensors", SPLIT_1E7),
        ("One tensor, larger and larger", ONE_TENSOR),
    ):
        for device, dtype in _settings(records):
            chosen = {
                (record["shapes"], record["variant"]): record
                for record in records
                if (record["device"], record["dtype"]) == (device, dtype) and record["shapes"] in family
            }
            if chosen:
                parts += [f"{title} ({device}, {dtype}): ms per step, and ratio.", _matrix(chosen, family)]
    missing: dict[str, list[str]] = {}
    for record in records:
        if "reason" in record:
            who = f"{record['variant']} ({record['device']}, {record['dtype']}): {record['reason']}"
            missing.setdefault(who, []).append(record["shapes"])
    reasons = [f"- {who} [{', '.join(shapes)}]" for who, shapes in missing.items()]
    return parts + (["Not measured (–):\n\n" + "\n".join(reasons)] if reasons else [])


def _matrix(records: Mapping[tuple[str, str], Mapping[str, Any]], family: Iterable[str]) -> str:
    variants = list(dict.fromkeys(variant for _, variant in records))

    def entry(shapes: str, variant: str) -> str:
        record = records.get((shapes, variant))
        if record is None:
            return ""
        if "reason" in record:
            return "–"
        return (
            f"{_milliseconds(statistics.median(record['seconds']))} ({ratio_quartiles(record)[1]:.2f}{_mark(record)})"
        )

    rows = [
        [_words(shapes), *(entry(shapes, variant) for variant in variants)]
        for shapes in family
        if any((shapes, variant) in records for variant in variants)
    ]
    return _table(("tensors × elements", *variants), rows, text_columns=1)


def _summary(records: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for device, dtype in _settings(records):
        for variant in dict.fromkeys(record["variant"] for record in records):
            own = {
                record["shapes"]: record
                for record in records
                if (record["device"], record["dtype"], record["variant"]) == (device, dtype, variant)
                and "reason" not in record
            }
            if own:
                rows.append([device, dtype, variant, *_overhead(own), *_largest(own)])
    header = ("device", "dtype", "variant", "µs per step", "µs per tensor", "largest deviation")
    return [_table((*header, "largest tensor", "GB/s", "ratio"), rows, text_columns=3)] if rows else []


def _overhead(own: Mapping[str, Mapping[str, Any]]) -> list[str]:
    measured = [own[shapes] for shapes in TENSORS_OF_1000 if shapes in own]
    points = [(record["tensors"], statistics.median(record["seconds"])) for record in measured]
    if len(points) < 3:
        return ["", "", ""]
    intercept, slope, deviation = fitted_line(points)
    return [f"{intercept * 1e6:.1f}", f"{slope * 1e6:.2f}", f"{100 * deviation:.0f} %"]


def _largest(own: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shapes = next((shapes for shapes in reversed(ONE_TENSOR) if shapes in own), None)
    if shapes is None:
        return ["", "", ""]
    record = own[shapes]
    return [
        f"{record['parameters']:,}",
        f"{_bytes_per_second(record) / 1e9:.1f}",
        f"{ratio_quartiles(record)[1]:.2f}",
    ]


def fitted_line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Intercept and slope with the least squares of the relative deviation, and the largest such deviation.

    With absolute deviations the largest point alone would decide, and the intercept would be its noise.
    """
    # Minimise the sum of (a/y + b·x/y - 1)².
    inverse = [1 / y for _, y in points]
    scaled = [x / y for x, y in points]
    aa = sum(u * u for u in inverse)
    ab = sum(u * v for u, v in zip(inverse, scaled, strict=True))
    bb = sum(v * v for v in scaled)
    determinant = aa * bb - ab * ab
    intercept = (sum(inverse) * bb - sum(scaled) * ab) / determinant
    slope = (sum(scaled) * aa - sum(inverse) * ab) / determinant
    return intercept, slope, max(abs(intercept + slope * x - y) / y for x, y in points)


def _disturbed(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    noisy = [record["coresBusyElsewhere"] for content in contents for record in content["cells"] if is_noisy(record)]
    if not noisy:
        return []
    return [
        f"† Not to be trusted: other processes kept up to {max(noisy):.1f} cores busy meanwhile. `--again disturbed`"
        " measures these again."
    ]


def _measured_with(contents: Sequence[Mapping[str, Any]]) -> str:
    lines = ["Measured with:", ""]
    for content in contents:
        for number, environment in enumerate(content["environments"]):
            cells = [record for record in content["cells"] if record["environment"] == number]
            versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
            dates = sorted({record["date"] for record in cells})
            which = "" if len(content["environments"]) == 1 else f" ({len(cells)} of {len(content['cells'])} cells)"
            lines.append(
                f"- {cells[0]['device']}: {environment['device']}{which}; {environment['threads']} threads on"
                f" {environment['cores']} cores, {environment['system']}; {versions}; alphaadam's source"
                f" {environment['alphaadamSource']}; {dates[0]}{f' to {dates[-1]}' if len(dates) > 1 else ''}"
            )
    return "\n".join(lines)


def _settings(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((record["device"], record["dtype"]) for record in records))


def _bytes_per_second(record: Mapping[str, Any]) -> float:
    return record["minimalBytes"] / statistics.median(record["seconds"])


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:.0f}"


def _words(shapes: str) -> str:
    return " × ".join(f"{int(number):,}" for number in shapes.split("x"))


def _mark(record: Mapping[str, Any]) -> str:
    return "†" if is_noisy(record) else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """Columns aligned in the source too; those after the first few are numbers, to the right.

    A row that ends early, after a reason, leaves its other columns empty and does not widen them.
    """
    widths = [
        max(len(row[column]) for row in [header, *rows] if len(row) == len(header)) for column in range(len(header))
    ]
    for column in range(text_columns):
        widths[column] = max(len(row[column]) for row in [header, *rows])
    justify: list[Callable[[str, int], str]] = [
        str.ljust if column < text_columns else str.rjust for column in range(len(header))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [*cells, *[""] * (len(header) - len(cells))]
        return f"| {' | '.join(to(cell, width) for to, cell, width in zip(justify, padded, widths, strict=True))} |"

    rule = ["-" * width if column < text_columns else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), f"| {' | '.join(rule)} |", *map(line, rows)])
