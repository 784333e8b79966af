"""Text from result files as Markdown and terminals may show it."""

import html
import re


def printable(text: str) -> str:
    """A result file must not move the terminal's cursor or change its colours."""
    return "".join(character if character.isprintable() else "?" for character in text)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no HTML, no link, no mention, no end of the cell."""
    return re.sub(r"([\\`*_\[\]|~#@!])", r"\\\1", html.escape(printable(text), quote=False))
