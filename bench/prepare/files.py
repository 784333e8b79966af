"""Text → nanoGPT's files of tokens, in steps that an interrupted run takes up again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.prepare import sources as prepare_sources
from bench.prepare.sources import Tokenizer
from bench.records import read_json, write_json

BATCH = 1000
"""Documents that are made into tokens and written at a time."""
SPLITS = ("val", "train")
SUMMARY = "prepared.json"
_STATE = ".prepare.json"


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        dataset: A file or folder of text, JSON lines or Parquet, or a data set's name on the Hugging Face Hub.
        revision: Of a data set on the Hub: a branch, tag or commit; None is its main branch.
        column: Where a document's text stands.
        tokenizer: An encoding of tiktoken, or the path of a ``tokenizer.json`` of the library tokenizers.
        end_token: The token that follows each document.
        validation_part: Part of the documents, drawn at random, that goes to ``val.bin``.
        seed: Of that draw.
    """

    dataset: str = "Skylion007/openwebtext"
    revision: str | None = None
    column: str = "text"
    tokenizer: str = "gpt2"
    end_token: str = "<|endoftext|>"
    validation_part: float = 0.0005
    seed: int = 2357


def prepare(
    request: Request,
    output: Path,
    cache: Path | None = None,
    progress: Callable[[str, int, int, int], None] = lambda split, documents, of, tokens: None,
) -> dict[str, Any]:
    """Writes ``train.bin``, ``val.bin`` and a summary to a folder.

    Tokens are written to hidden files, which get their names when both are whole. A run that was interrupted is taken
    up after the last batch of documents that it finished; one that is finished is not made again.

    Args:
        request: What to make.
        output: The folder.
        cache: Where the library datasets keeps its own copy; None is its own choice.
        progress: Called after each batch with the split, its documents done, their number, and the tokens so far.

    Returns:
        The summary: the request, versions, and for each split documents, tokens, and the file's SHA-256.

    Raises:
        ValueError: The request cannot be met, or the folder holds files that another request made.
        FileNotFoundError: A file is missing.
        RuntimeError: The tokenizer or the data set could not be had.
        ModuleNotFoundError: A library is not installed.
    """
    if not 0 < request.validation_part < 1:
        raise ValueError(f"validation part {request.validation_part!r} is invalid; give a number between 0 and 1")
    tokenizer = prepare_sources.load_tokenizer(request.tokenizer, request.end_token)
    key = {
        "request": asdict(request),
        "tokenizer": tokenizer.digest,
        "files": prepare_sources.fingerprint(request.dataset),
    }
    summary = output / SUMMARY
    if summary.exists():
        made = read_json(summary)
        if made["key"] == key and all(path.is_file() for path in _paths(output).values()):
            return made
        raise ValueError(f"{output} holds files of another request ({summary}); choose another folder, or delete it")
    state = output / _STATE
    for path in _paths(output).values():
        if path.exists() and not state.exists():
            raise ValueError(f"{path} is there, and this command did not make it; choose another folder")

    documents = prepare_sources.load_documents(request.dataset, request.revision, request.column, cache)
    rows = split_rows(len(documents), request.validation_part, request.seed)
    output.mkdir(parents=True, exist_ok=True)
    done = _State(state, {**key, "documents": len(documents)})
    splits = {
        "val": _Batches(documents.select(rows), request.column, frozenset()),
        "train": _Batches(documents, request.column, frozenset(rows)),
    }
    for split, batches in splits.items():
        _write(_paths(output)[split], split, batches, tokenizer, done, progress)
    made = {"key": key, "versions": prepare_sources.versions()}
    for split, path in _paths(output).items():
        if _hidden(path).exists():
            os.replace(_hidden(path), path)
        number = len(rows) if split == "val" else len(documents) - len(rows)
        made[split] = {"documents": number, "tokens": done.of(split)["tokens"], "sha256": _sha256(path)}
    write_json(summary, made)
    done.forget()
    return made


def _paths(output: Path) -> dict[str, Path]:
    return {split: output / f"{split}.bin" for split in SPLITS}


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}")


def _sha256(path: Path) -> str:
    from bench.tasks.bin_files import contents  # it keeps what a task asks for before it trains

    return contents(path)["sha256"]


def split_rows(documents: int, part: float, seed: int) -> list[int]:
    """The documents for validation, in order; the draw depends on their number, the part and the seed alone.

    Raises:
        ValueError: There are too few documents.
    """
    import numpy as np

    if documents < 2:
        raise ValueError(f"the data set has {documents} documents, and needs at least 2: one of them for validation")
    number = min(documents - 1, max(1, round(documents * part)))
    generator = np.random.Generator(np.random.PCG64(seed))
    return sorted(generator.choice(documents, number, replace=False).tolist())


class _State:
    """How far each split is, in a file that is replaced after each batch."""

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self._path = path
        self._key = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        known = read_json(path) if path.exists() else {}
        self._splits: dict[str, dict[str, int]] = known["splits"] if known.get("key") == self._key else {}

    def of(self, split: str) -> dict[str, int]:
        """The batches done and the tokens that they gave."""
        return self._splits.get(split, {"batches": 0, "tokens": 0})

    def keep(self, split: str, batches: int, tokens: int) -> None:
        self._splits[split] = {"batches": batches, "tokens": tokens}
        write_json(self._path, {"key": self._key, "splits": self._splits})

    def forget(self) -> None:
        self._path.unlink()


@dataclass(frozen=True)
class _Batches:
    """Documents in batches, some of them left out."""

    documents: Any
    column: str
    leave_out: frozenset[int]

    def __len__(self) -> int:
        return -(-len(self.documents) // BATCH)

    def since(self, number: int) -> Iterator[list[str]]:
        for begin in range(number * BATCH, len(self.documents), BATCH):
            texts = self.documents[begin : begin + BATCH][self.column]
            yield [text for row, text in enumerate(texts, begin) if row not in self.leave_out]


def _write(
    path: Path,
    split: str,
    batches: _Batches,
    tokenizer: Tokenizer,
    done: _State,
    progress: Callable[[str, int, int, int], None],
) -> None:
    """Appends the tokens of the batches that are not done yet."""
    import numpy as np

    number, tokens = done.of(split)["batches"], done.of(split)["tokens"]
    hidden = _hidden(path)
    if number == len(batches) and path.exists() and not hidden.exists():  # stopped after it got its name
        return
    hidden.touch()
    if hidden.stat().st_size < 2 * tokens:  # the file was lost or cut: what the state says is not there
        number = tokens = 0
    with hidden.open("r+b") as file:
        file.truncate(2 * tokens)  # a batch of which only a part was written
        file.seek(2 * tokens)
        for texts in batches.since(number):
            ids = np.array([token for text in tokenizer.encode(texts) for token in (*text, tokenizer.end)], "<u2")
            file.write(ids.tobytes())
            file.flush()
            os.fsync(file.fileno())  # the state must not run ahead of the file, even if the machine stops
            number, tokens = number + 1, tokens + len(ids)
            done.keep(split, number, tokens)
            progress(split, min(number * BATCH, len(batches.documents)), len(batches.documents), tokens)
