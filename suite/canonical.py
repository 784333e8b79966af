"""The one way a vector file is written, so that regenerating it is byte-identical and a diff shows what changed."""

import json
import math
from typing import Any

#: Objects of these keys alone, tensors and bounds, are written in one line.
_ONE_LINERS = {"shape", "data", "ulp", "absolute"}

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_number(value: float) -> float | str:
    """A float as JSON takes it: shortest round-trip digits, or the name of a non-finite value."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def decode_number(value: Any) -> Any:
    """The inverse of :func:`encode_number`; anything that is not the name of a number is returned as it is."""
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def dumps(document: Any) -> str:
    """Write a document with one key per line, but lists of plain values in one line."""
    return _write(document, 0) + "\n"


def _write(value: Any, depth: int) -> str:
    indent, outdent = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict) and value:
        if value.keys() <= _ONE_LINERS:
            return json.dumps(_encode(value), allow_nan=False)
        lines = [f"{indent}{json.dumps(key)}: {_write(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outdent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        lines = [indent + _write(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{outdent}]"
    return json.dumps(_encode(value), allow_nan=False, ensure_ascii=False)


def _encode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    return encode_number(value) if isinstance(value, float) else value
