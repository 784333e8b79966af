"""Paired step times over devices, shapes, dtypes and variants of an optimizer, kept in files that resume.

Nothing here imports a framework: a cell is measured by the module that `bench.speed.plans` names for its framework, by
the course of `bench.speed.course`, and rendered by `bench.speed.tables`.
"""

from __future__ import annotations

import datetime
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.paired import shapes_of
from bench.records import read_json, write_json
from bench.speed.figures import is_noisy, ratio_quartiles
from bench.speed.plans import CUDA_ONLY, DTYPES, Framework

SCHEMA = "alphaadam-speed-1"
RESULTS = Path(__file__).parents[1] / "results"
"""Where the results that the documentation quotes are kept."""

MOST_ROUNDS = 100


@dataclass(frozen=True)
class Cell:
    """One figure of the table: what is measured beside the baseline."""

    device: str
    dtype: str
    shapes: str
    variant: str

    def parameters(self) -> int:
        """Number of elements of all tensors."""
        return sum(map(math.prod, shapes_of(self.shapes)))

    def __str__(self) -> str:
        return f"{self.device} {self.dtype} {self.shapes} {self.variant}"


class NotMeasurableError(RuntimeError):
    """A cell cannot be measured here; the message is the reason that stands in the table."""


def cells_of(
    devices: Iterable[str], dtypes: Iterable[str], shapes: Iterable[str], variants: Iterable[str]
) -> list[Cell]:
    """All combinations, without the tensors that only a GPU is meant to hold."""
    combinations = itertools.product(devices, dtypes, shapes, variants)
    cells = [Cell(*combination) for combination in combinations]
    return [cell for cell in cells if cell.device == "cuda" or cell.shapes not in CUDA_ONLY]


class Results:
    """The file of one framework, device and command: a cell is in it whole or not at all.

    Args:
        path: The file. It need not be there yet.
        kind: The command that measures.
        framework: What it measures.

    Raises:
        ValueError: The file is no JSON, or not of this command and framework.
    """

    def __init__(self, path: Path, kind: str, framework: Framework) -> None:
        self.path = path
        self.framework = framework
        self.content: dict[str, Any] = {
            "schema": SCHEMA,
            "kind": kind,
            "framework": framework.name,
            "baseline": framework.baseline or "adamw-*",
            "environments": [],
            "cells": [],
        }
        if path.exists():
            self.content = load(path)
            if self.content["kind"] != kind:
                raise ValueError(f"{path} is a result of `python -m bench {self.content['kind']}`, not of {kind}")
            if self.content["framework"] != framework.name:
                raise ValueError(f"{path} is a result of {self.content['framework']}, not of {framework.name}")

    def find(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's record, if it is there."""
        return next((record for record in self.content["cells"] if _cell_of(record) == cell), None)

    def environment(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What a record was measured with."""
        return self.content["environments"][record["environment"]]

    def put(self, cell: Cell, measured: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Keeps a cell in the place of an earlier one, and writes the file."""
        records = [(record, self.environment(record)) for record in self.content["cells"] if _cell_of(record) != cell]
        date = datetime.date.today().isoformat()
        records.append(({**asdict(cell), "date": date, **measured}, dict(environment)))
        environments: list[dict[str, Any]] = []
        for record, used in records:  # numbered anew, so that none is kept that no cell was measured with
            if used not in environments:
                environments.append(used)
            record["environment"] = environments.index(used)
        cells = sorted((record for record, _ in records), key=self._order)
        self.content = {**self.content, "environments": environments, "cells": cells}
        write_json(self.path, self.content)

    def _order(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """Small before large, and variants as the framework lists them."""
        cell = _cell_of(record)
        return (
            cell.device,
            DTYPES.index(cell.dtype),
            cell.parameters(),
            len(shapes_of(cell.shapes)),
            self.framework.variants.index(cell.variant),
        )


def load(path: Path) -> dict[str, Any]:
    """Reads a result file.

    Raises:
        ValueError: It is none.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no result of `python -m bench speed` or `scaling` (schema {SCHEMA!r})")
    return content


def measure_cells(
    cells: Sequence[Cell],
    results: Results,
    measure: Callable[[Cell], Mapping[str, Any]],
    environment: Mapping[str, Any],
    again: str | None = None,
    show: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> None:
    """Measures what is not in the results yet, or everything again.

    A cell that cannot be measured is kept with its reason in place of figures, and is tried again by the next run.

    Args:
        cells: What to measure.
        results: Where each cell is kept as soon as it is done.
        measure: Measures a cell; whatever it raises is the reason why there are no figures.
        environment: What it is measured with.
        again: Which of the cells that are there are measured too: "all", those that other processes "disturbed", or
            none.
        show: Takes lines about the progress.
    """
    found = {cell: record for cell in cells if (record := results.find(cell)) and "reason" not in record}
    if again == "disturbed":
        found = {cell: record for cell, record in found.items() if not is_noisy(record)}
    if found and again != "all":
        show(f"{len(found)} of {len(cells)} are in {results.path} already")
        other = sum(results.environment(record) != environment for record in found.values())
        if other:
            show(f"{other} of them with other code, versions or hardware than now; --again measures them anew")
    left = [cell for cell in cells if again == "all" or cell not in found]
    work = {cell: _work(cell, results.framework.form_of(cell.variant).work) for cell in left}
    begin, done = time.monotonic(), 0.0
    for number, cell in enumerate(left, 1):
        others = _others_on_the_cpu()
        try:
            measured = dict(measure(cell))
        except Exception as error:
            measured = {"reason": _reason(error)}
        else:
            measured["coresBusyElsewhere"] = round(others(), 2)
        results.put(cell, measured, environment)
        done += work[cell]
        remaining = (time.monotonic() - begin) / done * (sum(work.values()) - done)
        show(f"[{number}/{len(left)}] {cell}: {_outcome(measured)}; about {_duration(remaining)} left")


def _work(cell: Cell, factor: float) -> float:
    """How long a cell takes, in no unit: a guess that serves to say how much of a run is left."""
    return 2e8 + factor * (cell.parameters() + 3e4 * len(shapes_of(cell.shapes)))


def _outcome(measured: Mapping[str, Any]) -> str:
    if "reason" in measured:
        return f"not measured: {measured['reason']}"
    lower, median, upper = ratio_quartiles(measured)
    disturbed = (
        f", while other processes kept {measured['coresBusyElsewhere']} cores busy" if is_noisy(measured) else ""
    )
    return f"{median:.3f} of AdamW's time ({lower:.3f} to {upper:.3f}){disturbed}"


def _others_on_the_cpu() -> Callable[[], float]:
    """From now on: how many cores other processes kept busy on average; 0 where only Linux could tell."""

    def read() -> tuple[float, float, float]:
        try:
            numbers = [int(number) for number in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
            busy = (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")  # less idle, waiting for files
        except (OSError, ValueError, IndexError, AttributeError):
            busy = 0.0
        return time.monotonic(), busy, sum(os.times()[:4])

    before = read()

    def since() -> float:
        wall, busy, own = (later - earlier for later, earlier in zip(read(), before, strict=True))
        return max(0.0, busy - own) / wall if wall > 0.2 else 0.0  # shorter, and the clock's ticks would show

    return since


def _reason(error: Exception) -> str:
    """One line. A RuntimeError is written for people to read; of other errors the type says what they are."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 400 else f"{text[:400]} …"
    return text if isinstance(error, RuntimeError) and text else f"{type(error).__name__}: {text}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _cell_of(record: Mapping[str, Any]) -> Cell:
    return Cell(record["device"], record["dtype"], record["shapes"], record["variant"])
