"""Paired step times over devices, shapes, dtypes and variants of an optimizer, kept in files that resume.

Nothing here knows the framework: a cell is measured by `bench.frameworks.torch_speed`, rendered by
`bench.speed_tables`.
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

SCHEMA = "alphaadam-speed-1"
RESULTS = Path(__file__).parent / "results"
"""Where the results that the documentation quotes are kept."""

BASELINE = "adamw-fused"
VARIANTS = (
    "alphaadam-fused",
    "alphaadam-foreach",
    "alphaadam-loop",
    "alphaadam-compile",
    BASELINE,
    "adamw-foreach",
    "adamw-loop",
    "adamw-compile",
)
COMPILED = tuple(variant for variant in VARIANTS if variant.endswith("-compile"))
"""Variants that are measured only where they are asked for: compiling takes minutes."""
DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16", "float64")
MOST_ROUNDS = 100

MODEL_SHAPES = ("gpt2-small", "gpt2-medium", "gpt2-large")
TENSORS_OF_1000 = tuple(f"{number}x1000" for number in (1, 10, 100, 1000, 10_000))
"""More and more tensors of one size: what a step costs, and what each tensor adds."""
SPLIT_1E7 = tuple(f"{number}x{10_000_000 // number}" for number in (1, 10, 100, 1000, 10_000))
"""The same number of elements in more and more tensors."""
ONE_TENSOR = tuple(f"1x{10**exponent}" for exponent in range(3, 10))
"""A larger and larger tensor: from what a step costs to what the memory carries."""
CUDA_ONLY = ONE_TENSOR[-1:]


@dataclass(frozen=True)
class Plan:
    """What one of the two commands measures where nothing else is asked for.

    Attributes:
        kind: The command's name, and a part of the names of its files.
        shapes: Names that `bench.paired.shapes_of` knows.
        dtypes: Types of the parameters, gradients and state.
        variants: Names of `VARIANTS`.
        seconds: How long the rounds of a cell go on.
        transient: Whether the peak memory of a step is measured too.
    """

    kind: str
    shapes: tuple[str, ...]
    dtypes: tuple[str, ...]
    variants: tuple[str, ...]
    seconds: float
    transient: bool


SPEED = Plan(
    "speed",
    MODEL_SHAPES,
    ("float32", "bfloat16"),
    tuple(variant for variant in VARIANTS if variant not in COMPILED),
    5.0,
    True,
)
SCALING = Plan(
    "scaling",
    tuple(dict.fromkeys(TENSORS_OF_1000 + SPLIT_1E7 + ONE_TENSOR)),
    ("float32",),
    ("alphaadam-fused", "alphaadam-foreach", "alphaadam-loop", "adamw-fused", "adamw-foreach"),
    2.0,
    False,
)


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
    """The file of one device and one command: a cell is in it whole or not at all.

    Args:
        path: The file. It need not be there yet.
        kind: The command that measures.

    Raises:
        ValueError: The file is no JSON, or not of this command.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.content: dict[str, Any] = {
            "schema": SCHEMA,
            "kind": kind,
            "framework": "torch",
            "baseline": BASELINE,
            "environments": [],
            "cells": [],
        }
        if path.exists():
            self.content = load(path)
            if self.content["kind"] != kind:
                raise ValueError(f"{path} is a result of `python -m bench {self.content['kind']}`, not of {kind}")

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
        cells = sorted((record for record, _ in records), key=_order)
        self.content = {**self.content, "environments": environments, "cells": cells}
        write_json(self.path, self.content)


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
    from bench.speed_tables import is_noisy

    found = {cell: record for cell in cells if (record := results.find(cell)) and "reason" not in record}
    if again == "disturbed":
        found = {cell: record for cell, record in found.items() if not is_noisy(record)}
    if found and again != "all":
        show(f"{len(found)} of {len(cells)} are in {results.path} already")
        other = sum(results.environment(record) != environment for record in found.values())
        if other:
            show(f"{other} of them with other code, versions or hardware than now; --again measures them anew")
    left = [cell for cell in cells if again == "all" or cell not in found]
    work = {cell: _work(cell) for cell in left}
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


def _work(cell: Cell) -> float:
    """How long a cell takes, in no unit: a guess that serves to say how much of a run is left."""
    factor = {"fused": 1.0, "foreach": 3.0, "loop": 5.0, "compile": 10.0}[cell.variant.rpartition("-")[2]]
    return 2e8 + factor * (cell.parameters() + 3e4 * len(shapes_of(cell.shapes)))


def _outcome(measured: Mapping[str, Any]) -> str:
    from bench.speed_tables import is_noisy, ratio_quartiles

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


def _order(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Small before large, and variants as `VARIANTS` lists them."""
    cell = _cell_of(record)
    return (
        cell.device,
        DTYPES.index(cell.dtype),
        cell.parameters(),
        len(shapes_of(cell.shapes)),
        VARIANTS.index(cell.variant),
    )
