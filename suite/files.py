"""Writing files so that an interrupted write leaves the old one."""

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Give ``path`` the content ``text``, whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
