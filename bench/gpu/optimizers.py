"""A part of `bench.gpu.parts`: the step of every optimizer in PyTorch beside AdamW, and what it keeps.

``python -m bench.gpu.optimizers SHAPES FILE``, on the device that BENCH_DEVICE names.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from bench.names import COMPARED, load_framework
from bench.records import write_json


def main(arguments: list[str]) -> int:
    """Measures, and writes the file anew after each optimizer."""
    shapes, path = arguments
    found: dict[str, Any] = {}
    for optimizer in COMPARED:
        try:
            found[optimizer] = _measure(optimizer, shapes)
        except (RuntimeError, ModuleNotFoundError) as error:  # out of memory, or a library that is not there
            found[optimizer] = {"missing": str(error).splitlines()[0]}
        write_json(Path(path), {"shapes": shapes, "framework": "torch", "optimizers": found})
    return 0


def _measure(optimizer: str, shapes: str) -> dict[str, Any]:
    import numpy as np

    from bench.paired import LEARNING_RATE, interquartile_range, measure, ratios, shapes_of
    from bench.tasks import Hyperparameters

    measured = measure("torch", optimizer, shapes)
    zeros = [np.zeros(shape, np.float32) for shape in shapes_of(shapes)]
    step = load_framework("torch").OptimizerStep(optimizer, zeros, LEARNING_RATE, Hyperparameters())
    return {
        "seconds": statistics.median(measured["seconds"]),
        "baselineSeconds": statistics.median(measured["baselineSeconds"]),
        "ratio": statistics.median(ratios(measured)),
        "ratioSpread": interquartile_range(ratios(measured)),
        "stateBytes": step.state_bytes(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
