"""What is written to the terminal: everything a person reads passes here, labels and file names with it.

These may hold anything: codes that move the cursor or rename the window, letters that turn the line around,
or letters that the terminal's encoding lacks. The codes are shown as what they are, the letters adapted.
"""

from __future__ import annotations

import contextlib
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

from vidlstm.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

JOINERS = "\u200c\u200d"
"""Invisible, and part of how some languages and emoji are spelled."""


def visible(text: str, *, keep: str = "\n\t") -> str:
    r"""The text with control characters, and letters that change the direction, as escapes.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'

    Args:
        text: anything.
        keep: control characters that may stand.
    """
    return "".join(_escaped(c) if c not in keep and _acts(c) else c for c in text)


def _acts(letter: str) -> bool:
    return letter not in JOINERS and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def adapt_to_terminal() -> None:
    """Lets standard output and error take any text: what their encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: Any = "", *, error: bool = False) -> None:
    """Writes one or more lines to standard output, or to standard error.

    Raises:
        OutputError: they cannot be written.
    """
    with writing():
        print(visible(str(text)), file=sys.stderr if error else sys.stdout, flush=True)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Around whatever writes to standard output.

    Raises:
        OutputError: it cannot be written, as on a full disk.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error
