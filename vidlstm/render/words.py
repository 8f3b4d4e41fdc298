"""Labels and file names, which may hold anything, as one line of text."""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"
JOINERS = "\u200c\u200d"
"""Invisible, and part of how some languages and emoji are spelled."""


def one_line(text: str) -> str:
    """The text without line ends and other control characters, which labels and file names may hold."""
    clean = "".join(" " if _parts(c) else c for c in text)
    return " ".join(clean.split())


def _parts(letter: str) -> bool:
    return letter not in JOINERS and unicodedata.category(letter).startswith(("C", "Z"))


def short(text: str, letters: int = 24) -> str:
    """One line of at most so many letters."""
    line = one_line(text)
    return line if len(line) <= letters else line[: letters - 1].rstrip() + ELLIPSIS
