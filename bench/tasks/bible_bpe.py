"""The King James Bible in tokens of a byte-pair encoding of its own.

The encoding is trained on the training part of the text alone. It is kept in ``bible_bpe.json``, a file of the
library tokenizers; ``python -m bench.tasks.bible_bpe`` writes the same file again, to the byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.tasks.text import bible_text, split_text

VOCABULARY = 4096
"""256 bytes and 3840 merges: the encoding knows every text."""
FILE = Path(__file__).with_name("bible_bpe.json")


def tokens() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """The parts of the text for training and for validation, in tokens. It takes some seconds.

    Raises:
        ModuleNotFoundError: The library tokenizers is not installed.
    """
    encoding = _library().Tokenizer.from_file(str(FILE))
    training, validation = split_text(bible_text())
    # The text is ASCII but for few characters, none of which the split cuts: decoding would raise.
    ids = [encoding.encode(part.decode()).ids for part in (training, validation)]
    return np.array(ids[0], "<u2"), np.array(ids[1], "<u2")


def train() -> str:
    """Trains the encoding; returns the content of its file."""
    library = _library()
    encoding = library.Tokenizer(library.models.BPE())
    encoding.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoding.decoder = library.decoders.ByteLevel()
    alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    trainer = library.trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    text, _ = split_text(bible_text())
    encoding.train_from_iterator(text.decode().splitlines(keepends=True), trainer)
    return encoding.to_str() + "\n"


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the tokens of gpt2-micro are made by the library tokenizers, which is not installed; run"
            " `python -m pip install -c constraints.txt tokenizers`",
            name="tokenizers",
        ) from error
    return tokenizers


if __name__ == "__main__":
    FILE.write_text(train(), encoding="utf-8")
    print(f"wrote {FILE}")
