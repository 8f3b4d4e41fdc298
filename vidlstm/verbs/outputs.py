"""Whether outputs can be written, asked before any work."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from vidlstm.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 65_536
"""Bytes that are written to find out; a full disk takes an empty file."""


def check_writable(folder: Path) -> None:
    """Looks whether files can be written into a folder that is there or is to be made; leaves nothing.

    Raises:
        OutputError: it is a file, may not be written, or its disk is full.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(f"{there} is a file, not a folder; choose another `out`")
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(BLOCK))
    except OSError as error:
        raise OutputError(
            f"{there} cannot be written to: {error.strerror or error}; choose another `out`"
        ) from error
