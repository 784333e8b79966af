"""A Markdown table of what XLA made of the steps, from the result files of `bench.speed.cells`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.speed.figures import table

_TEXT = (
    "Read from the optimised HLO of the steps above. Kernels: instructions that run, nearly all of them"
    " fusions. Copies: those that only copy an array of a parameter's size, which XLA does where a donated buffer would"
    " be overwritten before its last reader. Bytes: what XLA's cost analysis counts as"
    " read and written, per parameter, and beside it what a step must move. Temporary: what XLA sets aside for the"
    " step, in percent of the parameters' bytes. (TensorFlow tells neither bytes nor temporaries.)"
)


def xla_tables(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """A section with one table, or nothing where XLA compiled nothing.

    Args:
        contents: Of result files.
    """
    rows = [
        _row(content["framework"], record) for content in contents for record in content["cells"] if "xla" in record
    ]
    if not rows:
        return []
    header = ("framework", "device", "dtype", "shapes", "variant", "tensors", "kernels", "copies", "bytes", "least")
    return ["## What XLA makes of the step", _TEXT, table((*header, "temporary"), rows, text_columns=5)]


def _row(framework: str, record: Mapping[str, Any]) -> list[str]:
    xla, number = record["xla"], record["parameters"]
    return [
        framework,
        record["device"],
        record["dtype"],
        record["shapes"],
        record["variant"],
        str(record["tensors"]),
        str(xla["kernels"]),
        str(xla["copies"]),
        f"{xla['bytesAccessed'] / number:.1f}" if "bytesAccessed" in xla else "–",
        f"{record['minimalBytes'] / number:.1f}",
        f"{100 * record['transientBytes'] / record['parameterBytes']:.1f} %" if "transientBytes" in record else "–",
    ]
