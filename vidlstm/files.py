"""Files written in one step: a reader sees the old file or the whole new one, never a part.

JSON follows one rule: NaN and infinite numbers become null, because JSON has no word for them.
"""

from __future__ import annotations

import csv
import json
import math
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from vidlstm.errors import OutputError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path``, and renames it into place when the block ends without an error.

    The folder is made. The temporary name keeps the suffix, which some writers choose the format by.

    Raises:
        OutputError: the file cannot be written.
    """
    target = Path(path)
    mine = f"{os.getpid()}-{threading.get_ident():x}"
    temporary = target.with_name(f".{crc32(target.name.encode()):08x}.{mine}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{target}: cannot be written: {reason}; choose another folder with `out`"
        ) from error
    finally:
        with suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """Writes UTF-8 text with ``\\n`` line ends.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], path: str | Path) -> None:
    """Writes a CSV table (RFC 4180, UTF-8, ``\\n`` line ends).

    Raises:
        OutputError: the file cannot be written.
        ValueError: a row has more or fewer values than there are columns.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(f"{len(columns)} values a row expected, not {len(row)}: {row}")
            writer.writerow(row)


def write_json(value: Any, path: str | Path) -> None:
    """Writes mappings, sequences, plain values, paths and numpy arrays as JSON; see :func:`plain_json`.

    Raises:
        OutputError: the file cannot be written.
        TypeError: a value is none of these.
    """
    write_text(json.dumps(plain_json(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n", path)


def plain_json(value: Any) -> Any:
    """A value made of what JSON knows: NaN and infinite numbers become None, paths text, arrays lists."""
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def check_writable(folder: Path) -> None:
    """Refuses a folder in which nothing could be written; makes nothing.

    Raises:
        OutputError: it, or what it would be made in, is a file or may not be written.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError(f"{there} is a file, not a folder; choose another `out`")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{there} may not be written; choose another `out`")


def make_folder(folder: Path) -> None:
    """Makes a folder for outputs.

    Raises:
        OutputError: it is a file, or may not be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: no folder can be made here: {error.strerror}; choose another `out`"
        ) from error
