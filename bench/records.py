"""JSON files that are whole or absent, and results that several benchmarks read."""

from __future__ import annotations

import json
import os
import re
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Over several lines; text cannot look like it, since its line breaks are escaped.
_LIST_OF_NUMBERS = re.compile(r"\[\n\s+[-+.\deE]+(?:,\n\s+[-+.\deE]+)*\n\s*\]")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes `content` as JSON to `path`, through a temporary file beside it, so never in part.

    A list of numbers stands in one line, everything else in lines of its own.

    Raises:
        ValueError: `content` holds NaN or an infinity, which JSON has no word for.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_text(path, _LIST_OF_NUMBERS.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", text))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` to `path`, through a temporary file beside it, so never in part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp's 0o600 would make results unreadable to others
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: The file holds no JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file ({error}); delete it and run again") from error


def memoised(name: str, compute: Callable[[], Any]) -> Any:
    """`compute()`, done once in this working folder and then read from the file ``<name>.json``.

    asv runs each figure of a benchmark in a process of its own. Benchmarks that share a `setup_cache` share
    their working folder, a fresh one for each commit and environment, so that one training run serves all
    its figures and never those of another commit. A failure is kept too: it would fail again, slowly.

    Raises:
        RuntimeError: `compute` failed, now or before; the message holds its traceback.
    """
    path = Path(f"{name}.json")
    if not path.exists():
        try:
            memo = {"value": compute()}
        except Exception:
            memo = {"error": traceback.format_exc()}
        write_json(path, memo)
    memo = read_json(path)
    if "error" in memo:
        raise RuntimeError(f"{name} failed:\n{memo['error']}")
    return memo["value"]
