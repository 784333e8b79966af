"""Markdown tables from the result files of `python -m bench scaling`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.speed.figures import bytes_per_second, mark, milliseconds, ratio_quartiles, table
from bench.speed.plans import ONE_TENSOR, SPLIT_1E7, TENSORS_OF_1000


def scaling_tables(contents: Sequence[Mapping[str, Any]], method: str) -> list[str]:
    """Launch overhead and bandwidth apart, and all times.

    Args:
        contents: Of result files.
        method: How it was measured.

    Returns:
        Paragraphs and tables.
    """
    records = [record for content in contents for record in content["cells"]]
    parts = [
        "Time of one step from few to many tensors and parameters, and its ratio to `torch.optim.AdamW(fused=True)` on"
        f" the same tensors. {method}",
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
        return f"{milliseconds(statistics.median(record['seconds']))} ({ratio_quartiles(record)[1]:.2f}{mark(record)})"

    rows = [
        [_words(shapes), *(entry(shapes, variant) for variant in variants)]
        for shapes in family
        if any((shapes, variant) in records for variant in variants)
    ]
    return table(("tensors × elements", *variants), rows, text_columns=1)


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
    return [table((*header, "largest tensor", "GB/s", "ratio"), rows, text_columns=3)] if rows else []


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
        f"{bytes_per_second(record) / 1e9:.1f}",
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


def _settings(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((record["device"], record["dtype"]) for record in records))


def _words(shapes: str) -> str:
    return " × ".join(f"{int(number):,}" for number in shapes.split("x"))
