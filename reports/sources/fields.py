"""Takes values out of a JSON file that may hold anything."""

import json
import math
from pathlib import Path
from typing import Any

from reports.sources.error import SourceError


def read_json(path: Path) -> object:
    """Reads a JSON file.

    Raises:
        SourceError: It cannot be read, or an object in it has two values of one name, of which one would be lost.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"It is not readable JSON ({words(str(error))}). Delete it, and make it again.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return made


def read_object(path: Path, *schemas: str) -> dict[str, Any]:
    """Reads a JSON file that holds an object of one of these schemas.

    Raises:
        SourceError: It cannot be read, or is something else.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise SourceError("It holds no JSON object. Delete it, and make it again.")
    schema = data.get("schema")
    if schema not in schemas:
        raise SourceError(f"Its schema is {schema_words(schema)}; this version reads {', '.join(schemas)}.")
    return data


def schema_words(schema: object) -> str:
    """What a file says of its schema, cut to what fits in a sentence."""
    return repr(words(schema)[:60]) if isinstance(schema, str) else "missing" if schema is None else "no text"


def words(value: object, otherwise: str = "") -> str:
    """Text as every encoder takes it: half of a surrogate pair, which JSON can hold, becomes a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) and value else otherwise


def number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON has whole numbers of any length
        return None


MOST = 1e18
"""No machine has as many bytes, and no measurement takes as many seconds."""


def amount(value: object) -> float | None:
    """A number from 0 to `MOST`, such as one of bytes, or None for anything else."""
    found = number(value)
    return found if found is not None and 0 <= found <= MOST else None


def count(value: object) -> float | None:
    """A number of things, which is 0 or at least 1, or None for anything else."""
    found = amount(value)
    return None if found is not None and 0 < found < 1 else found


def is_whole(value: object, least: int, most: int = 10**9) -> bool:
    """Whether a value is a whole number in that range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


LONGEST = 100
"""Characters of a name that are kept where it is repeated often."""


def shortened(name: str) -> str:
    """A name of bearable length, as every encoder takes it."""
    return words(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def shown(value: object) -> str:
    """A value in a sentence about it."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return shortened(repr(value))
