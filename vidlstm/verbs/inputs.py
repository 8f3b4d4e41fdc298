"""The videos that a verb is given, before any of them is opened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vidlstm.addresses import is_remote, why_no_address
from vidlstm.errors import SettingsError
from vidlstm.settings import paths_from

if TYPE_CHECKING:
    from pathlib import Path

STREAM = re.compile(r"[a-z][a-z0-9+.-]+:/+\S", re.IGNORECASE)


def videos_from(given: Any, name: str = "inputs") -> list[Path]:
    """Files and folders that were given.

    Raises:
        SettingsError: there is none, or one is a camera or a stream, which have no end.
    """
    paths = paths_from(given, name)
    for path in paths:
        if str(path).isdecimal() and not path.exists():
            raise SettingsError(f"a camera is not a file: {path}; record it to a file first, and give that")
        if is_remote(path) and (why := why_no_address(path)):
            raise SettingsError(f"`{name}`: {why}", setting=name)
        if STREAM.match(str(path)) and not is_remote(path) and not path.exists():
            raise SettingsError(f"a stream is not a file: {path}; record it to a file first, and give that")
    return paths
