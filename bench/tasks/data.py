"""What a model reads: tokens for training and for validation, by the name that a task gives its data."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.names import check_name
from bench.tasks import bible_bpe, bin_files
from bench.tasks.text import TRAINING_PART, bible_text, split_text

DATA = {
    "bible-bytes": "the bytes of the King James Bible",
    "bible-bpe": f"the King James Bible in {bible_bpe.VOCABULARY} tokens",
    "bin": "train.bin and val.bin of a folder",
}
"""The names that `load_data` knows."""

VARIABLE = "BENCH_DATA"
"""The variable that names the folder of ``train.bin`` and ``val.bin`` where no argument does."""


@dataclass(frozen=True)
class Data:
    """Tokens.

    Attributes:
        name: What to call them in a message.
        training: Tokens that training batches are drawn from.
        validation: Tokens that validation batches are drawn from.
        largest_token: The largest of them.
        digest: What tells them from others, for JSON.
    """

    name: str
    training: npt.NDArray[Any]
    validation: npt.NDArray[Any]
    largest_token: int
    digest: dict[str, Any]


def load_data(name: str, folder: str | Path | None = None) -> Data:
    """The tokens of that name.

    Args:
        name: A key of `DATA`.
        folder: Where the files of "bin" are; None is the folder that the variable BENCH_DATA names.

    Raises:
        FileNotFoundError: They are not there; the message says how to make them.
        ModuleNotFoundError: "bible-bpe" needs the library tokenizers, which is not installed.
        ValueError: The name is unknown, the files hold no tokens, or a folder is named for data that needs none.
    """
    check_name("data", name, DATA)
    if name == "bin":
        return _of_folder(folder if folder is not None else os.environ.get(VARIABLE))
    if folder is not None:
        raise ValueError(f"--data {folder} has no meaning here: the task reads {DATA[name]}; leave it out")
    return _bible_bytes() if name == "bible-bytes" else _bible_tokens()


def of_text(text: bytes) -> Data:
    """One token a byte."""
    training, validation = (np.frombuffer(part, np.uint8) for part in split_text(text))
    digest = {"training_part": TRAINING_PART, "text": hashlib.sha256(text).hexdigest()}
    return Data("the text", training, validation, max(text, default=0), digest)


@lru_cache(maxsize=1)
def _bible_bytes() -> Data:
    return of_text(bible_text())


@lru_cache(maxsize=1)
def _bible_tokens() -> Data:
    training, validation = bible_bpe.tokens()
    digest = hashlib.sha256(training.tobytes() + validation.tobytes()).hexdigest()
    return Data(DATA["bible-bpe"], training, validation, bible_bpe.VOCABULARY - 1, {"tokens": digest})


def _of_folder(folder: str | Path | None) -> Data:
    if not folder:
        raise FileNotFoundError(
            f"the task reads {DATA['bin']}, and none is named; name it with --data or in the variable {VARIABLE}."
            " `python -m bench prepare` makes the files"
        )
    paths = [Path(folder, name) for name in ("train.bin", "val.bin")]
    training, validation = (bin_files.open_tokens(path) for path in paths)
    contents = [bin_files.contents(path) for path in paths]
    largest = max(content["largestToken"] for content in contents)
    digest = {path.name: content["sha256"] for path, content in zip(paths, contents, strict=True)}
    return Data(str(folder), training, validation, largest, digest)
