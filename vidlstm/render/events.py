"""What happens to sources and what is seen in them, as lines of JSON, written at once."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from vidlstm.errors import OutputError
from vidlstm.files import plain_json

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES, KEPT_FILES = 64 * 2**20, 3
"""A file of events that has grown to this size is renamed, ``events.jsonl.1`` and so on; so many are kept."""


class EventFile:
    """JSON lines, each flushed as it is written, in files that do not grow for ever.

    Args:
        path: the file, which is gone on with; None is standard output.
        most_bytes: begin a new file beyond this size.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path | None, *, most_bytes: int = MOST_BYTES) -> None:
        self._path, self._most = path, most_bytes
        self._file: TextIO = sys.stdout if path is None else self._opened(path)

    def _opened(self, path: Path) -> TextIO:
        try:
            return path.open("a", encoding="utf-8", errors="backslashreplace")  # names may hold any byte
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror or error}") from error

    def __call__(self, event: dict[str, Any]) -> None:
        """Writes one event."""
        line = json.dumps(plain_json(event), ensure_ascii=False, allow_nan=False)
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._path or 'standard output'}: {error.strerror or error}") from error
        if self._path is not None and self._file.tell() > self._most:
            self._file = self._rotated(self._path)

    def _rotated(self, path: Path) -> TextIO:
        self._file.close()
        for number in range(KEPT_FILES - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            if newer.exists():
                newer.replace(older)
        return self._opened(path)

    def close(self) -> None:
        """Closes the file; standard output stays open."""
        if self._path is not None:
            self._file.close()
