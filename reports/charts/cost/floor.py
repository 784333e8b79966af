"""The memory-bandwidth floor: how long a step takes that does nothing but move the bytes that it must move."""

from typing import NamedTuple

from reports.charts.cost.settings import optimizer_of, variant_label
from reports.results import Results
from reports.sources.speed import Cell

BEYOND_CACHES = 1e9
"""Bytes of parameters, gradients and both moments that no cache holds, so that memory has to move them."""


class Floor(NamedTuple):
    """What a machine's memory carries, as AdamW's own step shows it: the bandwidth itself is not measured.

    Attributes:
        bytes_per_second: of the AdamW step that moved most.
        source: which step that was.
    """

    bytes_per_second: float
    source: str

    def seconds(self, cell: Cell) -> float | None:
        """How long the bytes of a cell's step take."""
        return None if cell.minimal_bytes is None else cell.minimal_bytes / self.bytes_per_second

    def words(self) -> str:
        """Where the floor comes from."""
        return (
            f"{self.bytes_per_second / 1e9:.1f} GB/s, those of the fastest single AdamW step on 1 GB or more on this"
            f" machine ({self.source}); the bandwidth itself was not measured. Small tensors stay in the processor's"
            " caches from step to step and can be faster."
        )


NO_FLOOR = (
    "The memory-bandwidth floor is missing: no AdamW step on 1 GB or more, which no cache holds, was measured on this"
    " machine."
)


def floors(results: Results) -> dict[tuple[str, str], Floor]:
    """By device and machine, where an AdamW step was measured that no cache holds."""
    found: dict[tuple[str, str], Floor] = {}
    for cell in (cell for speed in results.speeds for cell in speed.cells):
        if optimizer_of(cell.variant) != "adamw" or cell.shortest is None or not cell.minimal_bytes or cell.disturbed:
            continue
        if (cell.parameter_bytes or 0) * 4 < BEYOND_CACHES:
            continue
        rate = cell.minimal_bytes / cell.shortest
        key = where(cell)
        if key not in found or rate > found[key].bytes_per_second:
            found[key] = Floor(rate, f"{variant_label(cell.variant)}, {cell.shapes}, {cell.dtype}")
    return found


def where(cell: Cell) -> tuple[str, str]:
    """The device and machine of a cell, whose memory is one."""
    return cell.device, cell.environment.machine
