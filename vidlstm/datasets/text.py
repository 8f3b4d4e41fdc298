"""The one opening of annotation files: UTF-8, with or without a byte order mark, of bounded size."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 1 << 28
"""A larger file is no list of annotations: Kinetics-700 takes 30 MB. It would be read into memory whole."""


def read_text(path: Path, *, remedy: str = "check the path") -> str:
    """The text of an annotation file, without its byte order mark.

    Args:
        path: the file, UTF-8 with or without a byte order mark.
        remedy: what to do where it is not there, for the message.

    Raises:
        DatasetError: it is not there, is a folder or a device, has more than ``MOST_BYTES``, cannot be read,
            or is not text in UTF-8; the message names the file and the line.
    """
    if not path.is_file():
        what = "not there" if not path.exists() else "a folder, not a file" if path.is_dir() else "a device"
        raise DatasetError(f"{path} is {what}; {remedy}")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    if len(content) > MOST_BYTES:
        raise DatasetError(
            f"{path} has more than {MOST_BYTES >> 20} MiB, too much for annotations; split it up"
        )
    return decoded(path, content)


def decoded(path: Path, content: bytes) -> str:
    """The text of what was read from a file, without its byte order mark.

    Raises:
        DatasetError: it is not text in UTF-8; the message names the file and the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{path} is not UTF-8 (line {line}: {error.reason}); save it as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DatasetError(f"{path} is not UTF-8 (line {line}: a zero byte); save it as UTF-8")
    return text


def read_lines(path: Path, *, remedy: str = "check the path") -> Iterator[tuple[int, str]]:
    """The lines of an annotation file that are not blank, each with its number, from 1.

    Raises:
        DatasetError: see :func:`read_text`.
    """
    # Not str.splitlines, which also cuts at characters that JSON and names may hold.
    for number, line in enumerate(io.StringIO(read_text(path, remedy=remedy), newline=None), start=1):
        if line.strip():
            yield number, line.rstrip("\n")
