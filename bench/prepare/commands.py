"""The command ``python -m bench prepare``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.prepare.files import Request, prepare

_DEFAULT = Request()


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "prepare",
        help="make train.bin and val.bin, which the tasks gpt2-small, -medium and -large read",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make files of tokens in nanoGPT's format out of a text data set, OpenWebText unless another is\n"
        "named: each document's tokens, then the end-of-text token, as uint16. A part of the documents, drawn at\n"
        "random, goes to val.bin.\n\n"
        "An interrupted run resumes after the last 1000 documents that were done. The files get their names when both\n"
        "are whole, with prepared.json beside them, which says how they were made.\n\n"
        "OpenWebText has 8 million documents. It takes about 54 GB in the cache of the library datasets (--cache or\n"
        "HF_HOME), gives 9 billion tokens, 18 GB, and takes an hour or some on 8 cores. It needs the libraries:\n"
        "  python -m pip install -c constraints.txt datasets tiktoken tokenizers",
        epilog="""\
examples:
  python -m bench prepare --output data/openwebtext
  python -m bench prepare --output data/openwebtext --dataset ~/openwebtext      Parquet files that are here already
  python -m bench prepare --output data/mine --dataset notes.jsonl --column body --tokenizer tokenizer.json
  BENCH_DATA=data/openwebtext python -m bench run --task gpt2-small --device cuda
""",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder for the files")
    parser.add_argument(
        "--dataset",
        default=_DEFAULT.dataset,
        metavar="SOURCE",
        help="a file or folder of .txt (a document each), .jsonl or .parquet, or a name on the Hugging Face Hub"
        " (default: %(default)s)",
    )
    parser.add_argument("--revision", help="branch, tag or commit of a data set on the Hub (default: main)")
    parser.add_argument(
        "--column", default=_DEFAULT.column, help="where a document's text stands (default: %(default)s)"
    )
    parser.add_argument(
        "--tokenizer",
        default=_DEFAULT.tokenizer,
        metavar="NAME",
        help="an encoding of tiktoken, or the path of a tokenizer.json (default: %(default)s, which tiktoken fetches"
        " once)",
    )
    parser.add_argument(
        "--end-token",
        default=_DEFAULT.end_token,
        metavar="TOKEN",
        help="follows each document (default: %(default)s)",
    )
    parser.add_argument(
        "--validation-part",
        type=float,
        default=_DEFAULT.validation_part,
        metavar="PART",
        help="part of the documents for val.bin (default: %(default)s, nanoGPT's)",
    )
    parser.add_argument(
        "--seed", type=int, default=_DEFAULT.seed, help="of the draw of these documents (default: %(default)s)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="where datasets keeps its copy (default: its own choice)"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    request = Request(
        options.dataset,
        options.revision,
        options.column,
        options.tokenizer,
        options.end_token,
        options.validation_part,
        options.seed,
    )
    made = prepare(request, options.output, options.cache, _progress())
    for split in ("train", "val"):
        print(f"{options.output / split}.bin: {made[split]['documents']} documents, {made[split]['tokens']} tokens")
    return 0


def _progress() -> Callable[[str, int, int, int], None]:
    """A line on stderr that is rewritten on a terminal; in a log file, a line for each split's tenth."""
    begun: dict[str, tuple[float, int]] = {}
    terminal = sys.stderr.isatty()

    def show(split: str, documents: int, of: int, tokens: int) -> None:
        begin, first = begun.setdefault(split, (time.monotonic(), documents))
        rate = (documents - first) / max(time.monotonic() - begin, 1e-9)
        left = f", {(of - documents) / rate:.0f} s left" if rate else ""
        line = f"{split}.bin: {documents} of {of} documents, {tokens} tokens{left}"
        if terminal:
            print(f"\r\x1b[K{line}", end="\n" if documents == of else "", file=sys.stderr, flush=True)
        elif documents == of or documents * 10 // of != shown.get(split):
            print(line, file=sys.stderr, flush=True)
        shown[split] = documents * 10 // of

    shown: dict[str, int] = {}
    return show
