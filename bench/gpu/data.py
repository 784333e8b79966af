"""A part of `bench.gpu.parts`: real text in the files that the larger tasks read, where nobody prepared any.

``python -m bench.gpu.data FOLDER`` writes the King James Bible in gpt2-micro's tokens, a million of them. It serves to
train for minutes; losses on it are not those on OpenWebText, and the data's digest in a record says which it was.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Writes train.bin and val.bin."""
    from bench.tasks.data import load_data

    (folder,) = map(Path, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    data = load_data("bible-bpe")
    for name, tokens in (("train", data.training), ("val", data.validation)):
        path = folder / f"{name}.bin"
        temporary = path.with_suffix(".partial")
        tokens.astype("<u2").tofile(temporary)
        temporary.replace(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
