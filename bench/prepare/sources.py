"""Where documents and tokens come from: the libraries datasets, tiktoken and tokenizers, imported when needed."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine

KINDS = {".txt": "text", ".jsonl": "json", ".json": "json", ".parquet": "parquet"}
"""Endings of files → the builder of the library datasets that reads them. A text file is one document."""


@dataclass(frozen=True)
class Tokenizer:
    """Text → tokens.

    Attributes:
        encode: Documents → their tokens; a special token that is written out in the text is text.
        end: The token that ends a document.
        digest: What tells this tokenizer from others.
    """

    encode: Callable[[list[str]], Sequence[Sequence[int]]]
    end: int
    digest: str


def load_tokenizer(name: str, end_token: str) -> Tokenizer:
    """An encoding of tiktoken, or a file of the library tokenizers.

    Raises:
        ValueError: The name is unknown, the end token is not one of its tokens, or its tokens do not fit in uint16.
        RuntimeError: tiktoken could not fetch the encoding.
        ModuleNotFoundError: The library is not installed.
    """
    tokenizer, size, end = _of_file(Path(name), end_token) if Path(name).exists() else _of_tiktoken(name, end_token)
    if end is None:
        raise ValueError(f"the tokenizer {name} has no token {end_token!r}; name the one that ends a document")
    if size > 2**16:
        raise ValueError(f"the tokenizer {name} has {size} tokens; the files hold uint16, so at most 65536")
    return tokenizer


def _of_file(path: Path, end_token: str) -> tuple[Tokenizer, int, int | None]:
    library = _import("tokenizers").Tokenizer
    tokenizer = library.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]

    end = tokenizer.token_to_id(end_token)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Tokenizer(encode, -1 if end is None else end, digest), tokenizer.get_vocab_size(), end


def _of_tiktoken(name: str, end_token: str) -> tuple[Tokenizer, int, int | None]:
    library = _import("tiktoken")
    if name not in library.list_encoding_names():
        names = ", ".join(library.list_encoding_names())
        raise ValueError(f"the tokenizer {name!r} is no file and no encoding of tiktoken; its encodings are: {names}")
    try:
        encoding = library.get_encoding(name)
    except OSError as error:
        raise RuntimeError(
            f"tiktoken fetches the encoding {name} from the network once, and could not: {error}. Set"
            " TIKTOKEN_CACHE_DIR to a folder that has it, or give the path of GPT-2's tokenizer.json with --tokenizer"
        ) from error

    def encode(texts: list[str]) -> list[list[int]]:
        return encoding.encode_ordinary_batch(texts, num_threads=machine.cores())

    end = encoding.encode_single_token(end_token) if end_token in encoding.special_tokens_set else None
    digest = f"tiktoken {name}"
    return Tokenizer(encode, -1 if end is None else end, digest), encoding.n_vocab, end


def load_documents(dataset: str, revision: str | None, column: str, cache: Path | None) -> Any:
    """The documents, a `datasets.Dataset`.

    Raises:
        ValueError: Files of several kinds or of none, or the column is not there.
        RuntimeError: The Hub's data set could not be had.
        ModuleNotFoundError: The library datasets is not installed.
    """
    library = _import("datasets")
    files = _files(dataset)
    settings: dict[str, Any] = {"split": "train", "cache_dir": None if cache is None else str(cache)}
    if files:
        kinds = {KINDS[path.suffix] for path in files}
        if len(kinds) > 1:
            raise ValueError(
                f"{dataset} holds files of several kinds, {', '.join(sorted(kinds))}; name one file or kind"
            )
        kind = kinds.pop()
        settings |= {"sample_by": "document"} if kind == "text" else {}
        documents = library.load_dataset(kind, data_files=[str(path) for path in files], **settings)
    else:
        try:
            documents = library.load_dataset(dataset, revision=revision, **settings)
        except Exception as error:  # of the Hub's client, of the network, and of scripts that datasets no longer runs
            raise RuntimeError(
                f"the data set {dataset} could not be had from the Hugging Face Hub: {error}. If it is a loading"
                " script, name a revision of its Parquet files with --revision, or download them and give their folder"
            ) from error
    if column not in documents.column_names:
        raise ValueError(f"{dataset} has no column {column!r}; choose one of: {', '.join(documents.column_names)}")
    return documents.select_columns([column])


def fingerprint(dataset: str) -> list[list[Any]]:
    """Names, sizes and times of change of local files, none of the Hub's: what a resumed run must find again."""
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in _files(dataset)]


def versions() -> dict[str, str]:
    """Versions of the libraries."""
    return machine.versions_of("datasets", "tiktoken", "tokenizers")


def _files(dataset: str) -> list[Path]:
    """Of a local file or folder; none for a name on the Hub."""
    path = Path(dataset)
    if path.is_dir():
        files = sorted(found for found in path.rglob("*") if found.suffix in KINDS and found.is_file())
        if not files:
            raise ValueError(f"{path} has no files that end in {', '.join(KINDS)}")
        return files
    if path.is_file():
        if path.suffix not in KINDS:
            raise ValueError(f"{path} does not end in {', '.join(KINDS)}, so its kind is not known")
        return [path]
    if path.suffix in KINDS or dataset.startswith((".", os.sep)):
        raise FileNotFoundError(f"{path} is missing")
    return []


def _import(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this needs the library {library}, which is not installed; run"
            " `python -m pip install -c constraints.txt datasets tiktoken tokenizers`",
            name=library,
        ) from error
