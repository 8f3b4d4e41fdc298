"""Labels and file names, which may hold anything, as one line of text."""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"


def one_line(text: str) -> str:
    """The text without line ends and other control characters, which labels and file names may hold."""
    clean = "".join(" " if unicodedata.category(c).startswith(("C", "Z")) else c for c in text)
    return " ".join(clean.split())


def short(text: str, letters: int = 24) -> str:
    """One line of at most so many letters."""
    line = one_line(text)
    return line if len(line) <= letters else line[: letters - 1].rstrip() + ELLIPSIS
