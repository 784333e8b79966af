"""Files of step times as `python -m bench speed` and `scaling` write them, with numbers that can be recomputed."""

import json
import math
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "versions": {"alphaadam": "0.1.0", "torch": "2.13.0"},
    "alphaadamSource": "abcdef012345",
    "device": "Fast One",
    "system": "Linux x",
    "cores": 2,
    "threads": 2,
}
MODELS = {"gpt2-small": (124_000_000, 148), "gpt2-nano": (800_000, 52)}


def cell(
    variant: str = "alphaadam-fused",
    shapes: str = "gpt2-small",
    ratio: float = 1.5,
    seconds: float = 0.1,
    dtype: str = "float32",
    **changes: Any,
) -> dict[str, Any]:
    """A step that takes `seconds` on average and `ratio` times as long as AdamW's, with a tenth of spread in both."""
    spread = (0.9, 1.0, 1.1, 1.0, 0.95, 1.05, 1.0, 1.0)
    taken = [seconds * part for part in spread]
    parameters, tensors = MODELS.get(shapes) or _size(shapes)
    itemsize = 2 if dtype == "bfloat16" else 4
    moved = 7 * itemsize if variant.startswith("adamw") else 9 * itemsize + 0.25
    made = {
        "device": "cpu",
        "dtype": dtype,
        "shapes": shapes,
        "variant": variant,
        "date": "2026-05-01",
        "parameters": parameters,
        "tensors": tensors,
        "parameterBytes": itemsize * parameters,
        "minimalBytes": round(moved * parameters),
        "stateBytes": 2 * itemsize * parameters,
        "baselineStateBytes": 2 * itemsize * parameters,
        "transientBytes": parameters,
        "seconds": taken,
        "baselineSeconds": [value / ratio for value in reversed(taken)],
        "coresBusyElsewhere": 0.01,
        "environment": 0,
    }
    return {**made, **changes}


def _size(shapes: str) -> tuple[int, int]:
    """Elements and tensors of "10x1000"."""
    tensors, _, elements = shapes.partition("x")
    return int(tensors) * int(elements), int(tensors)


def write(path: Path, *cells: Any, framework: str = "torch", kind: str = "speed", **changes: Any) -> Path:
    """Writes a file of these cells."""
    baseline = "adamw-fused" if framework == "torch" else "adamw-*"
    content = {
        "schema": "alphaadam-speed-1",
        "kind": kind,
        "framework": framework,
        "baseline": baseline,
        "environments": [ENVIRONMENT],
        "cells": list(cells),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")
    return path


def pair_ratios(record: dict[str, Any], to: str = "baselineSeconds") -> list[float]:
    """The ratios of a record, computed here anew: geometric means of two rounds' ratios."""
    single = [one / other for one, other in zip(record["seconds"], record[to], strict=True)]
    return [math.sqrt(single[place] * single[place + 1]) for place in range(0, len(single), 2)]
