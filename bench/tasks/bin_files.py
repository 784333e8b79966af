"""Tokens in nanoGPT's files ``train.bin`` and ``val.bin``: little-endian uint16 and nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.records import read_json, write_json

_REMEDY = "make it with `python -m bench prepare --output FOLDER`, and name the folder with --data or BENCH_DATA"
_CHUNK = 2**24


def open_tokens(path: Path) -> npt.NDArray[np.uint16]:
    """The tokens of a file, mapped into memory: only what is looked at is read.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Its size is not that of whole tokens.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; {_REMEDY}")
    size = path.stat().st_size
    if size % 2 or not size:
        raise ValueError(f"{path} has {size} bytes, which are no uint16 tokens; {_REMEDY}")
    return np.asarray(np.memmap(path, "<u2", mode="r"))


def contents(path: Path) -> dict[str, Any]:
    """The SHA-256 of a file and the largest token in it, "sha256" and "largestToken".

    They take one reading of the whole file, which for OpenWebText's 18 GB is 10 to 20 s of computing and often more of
    waiting for the disk. They are kept in ``<file>.json`` beside it, if that can be written, and computed again when
    the file's size or time of change is another.
    """
    kept = path.with_name(path.name + ".json")
    stat = path.stat()
    key = {"bytes": stat.st_size, "modifiedNs": stat.st_mtime_ns}
    if kept.is_file():
        known = read_json(kept)
        if {name: known.get(name) for name in key} == key:
            return known
    digest, largest = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            largest = max(largest, int(np.frombuffer(chunk, "<u2").max()))
    known = {**key, "sha256": digest.hexdigest(), "largestToken": largest}
    if os.access(path.parent, os.W_OK):
        write_json(kept, known)
    return known
