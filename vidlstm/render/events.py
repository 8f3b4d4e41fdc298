"""What happens to sources and what is seen in them, as lines of JSON, written at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import SEEK_END
from typing import TYPE_CHECKING, Any, TextIO

from vidlstm.errors import OutputError
from vidlstm.files import held, plain_json

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES, KEPT_FILES = 64 * 2**20, 3
"""A file of events that has grown to this size is renamed, ``events.jsonl.1`` and so on; so many are kept."""


class EventFile:
    """JSON lines, each flushed as it is written, in files that do not grow for ever.

    Args:
        path: the file, which is gone on with, and which no other run may write meanwhile; or a pipe or a
            device, which is neither. None is standard output.
        most_bytes: begin a new file beyond this size.

    Raises:
        OutputError: it cannot be written, or another run writes it.
    """

    def __init__(self, path: Path | None, *, most_bytes: int = MOST_BYTES) -> None:
        self._grows = path is not None and (path.is_file() or not path.exists())
        path = path.resolve() if path is not None and self._grows else path  # not a link that is renamed
        self._path, self._most, self._kept = path, most_bytes, ExitStack()
        if path is not None and self._grows:
            self._kept.enter_context(held(path, "events"))
        try:
            with self._writing():
                self._file: TextIO = sys.stdout if path is None else _opened(path)
        except OutputError:
            self._kept.close()
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise  # nobody reads any more, which is no error of standard output
        except OSError as error:
            raise OutputError(f"{self._path or 'standard output'}: {error.strerror or error}") from error

    def __call__(self, event: dict[str, Any]) -> None:
        """Writes one event."""
        line = json.dumps(plain_json(event), ensure_ascii=False, allow_nan=False)
        with self._writing():
            self._file.write(line + "\n")
            self._file.flush()
            if self._path is not None and self._grows and self._file.tell() > self._most:
                self._file = self._rotated(self._path)

    def _rotated(self, path: Path) -> TextIO:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            if newer.exists():
                newer.replace(older)
        self._file.close()  # not before: what cannot be renamed is gone on with
        return _opened(path)

    def close(self) -> None:
        """Closes the file; standard output stays open."""
        with self._kept, self._writing():
            if self._path is not None:
                self._file.close()


def _opened(path: Path) -> TextIO:
    """At its end; what a run that was killed left of a line there is ended."""
    cut_off = path.is_file() and path.stat().st_size and _last_byte(path) != b"\n"
    file = path.open("a", encoding="utf-8", errors="backslashreplace")  # names may hold any byte
    if cut_off:
        file.write("\n")
    return file


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, SEEK_END)
        return file.read()
