"""Files written in one step: a reader sees the old file or the whole new one, never a part.

What is half done lies in a folder that its process keeps locked, so that a later run can tell what a dead
process left behind. What is read is never written over, and two runs never add to the same outputs at once.
JSON follows one rule: NaN and infinite numbers become null, because JSON has no word for them.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from vidlstm.addresses import address, is_remote
from vidlstm.errors import OutputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

SCRATCH, OWNER, LOCK = ".vidlstm-", "owner.lock", ".lock"
"""How the names of folders of what is half done begin; the file in each that a living process keeps locked;
and how other such files end."""
BLOCK = 65_536
"""Bytes that are written to find out whether a disk has room; a full one takes an empty file."""
PATIENCE_SECONDS = 0.5
"""For how long a lock is waited for that a run may hold only to see whether its owner lives."""


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new folder in ``folder`` for what is half done; it is gone when the block ends.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, lock = _locked_folder(folder)
    try:
        yield path
    finally:
        lock.release()
        shutil.rmtree(path, ignore_errors=True)


def _locked_folder(parent: Path) -> tuple[Path, BaseFileLock]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))
        lock = _lock_at(path / OWNER)
        try:
            lock.acquire()
        except FileNotFoundError:
            continue  # another run cleared it away before it was locked
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return path, lock


def clear_leftovers(folder: Path) -> None:
    """Removes what dead processes left half done in ``folder``; what a living one is at stays."""
    for path in folder.glob(f"{SCRATCH}*"):
        lock = path if path.suffix == LOCK else path / OWNER
        if path.is_symlink():
            continue
        if not lock.is_file():
            with suppress(OSError):  # killed before it was locked: empty; a living one makes another
                path.rmdir()
            continue
        with suppress(OSError), _lock_at(lock).acquire(blocking=False):  # alive, or another user's
            shutil.rmtree(path, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path of the same name, and puts it in place when the block ends without an error.

    The folder is made.

    Raises:
        OutputError: the file cannot be written.
    """
    target = Path(path)
    try:
        with scratch(target.parent) as folder:
            yield folder / target.name
            (folder / target.name).replace(target)
    except OSError as error:
        raise unwritable(target, error) from error


@contextmanager
def held(target: str | Path, setting: str = "out") -> Iterator[None]:
    """Keeps other runs from outputs that several files make up, until the block ends or the process dies.

    Args:
        target: what the outputs are known by, such as a table, or the stem of several files.
        setting: that says where they go, for messages.

    Raises:
        OutputError: another run holds it, or nothing can be written here.
    """
    file = Path(target).resolve()
    lock = _lock_at(file.with_name(f"{SCRATCH}{crc32(os.fsencode(file.name)):08x}{LOCK}"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE_SECONDS)
    except TimeoutError as error:
        raise OutputError(
            f"{target}: another run is writing it; wait until it has ended, or choose another `{setting}`"
        ) from error
    except OSError as error:
        raise unwritable(target, error, setting) from error
    try:
        yield
    finally:
        with suppress(OSError):  # while it is locked: nobody else has it then
            Path(lock.lock_file).unlink()
        lock.release()


def _lock_at(path: Path) -> BaseFileLock:
    from filelock import FileLock  # a tenth of a second that --help does without

    return FileLock(path, thread_local=False)


def unwritable(path: str | Path, error: OSError, setting: str = "out") -> OutputError:
    """What to raise where the system refuses to write."""
    reason = error.strerror or str(error)
    return OutputError(f"{path}: cannot be written: {reason}; choose another folder with `{setting}`")


def check_inputs(files: Iterable[Path], inputs: Collection[str | Path], setting: str = "out") -> None:
    """Refuses to write over what is read, under whatever name, and into a folder that is read as a video.

    Args:
        files: what will be written.
        inputs: what is read: files, and folders of images.
        setting: that says where they go, for messages.

    Raises:
        OutputError: a file is an input, or would lie in one.
    """
    read = {known for path in inputs if (known := _identity(path)) is not None}
    images = {known for path in inputs if (known := _identity(path)) is not None and _holds_files(Path(path))}
    for file in files:
        if _identity(file) in read:
            raise OutputError(f"{file}: is an input and would be overwritten; choose another `{setting}`")
        if images and images & {_identity(parent) for parent in file.absolute().parents}:
            raise OutputError(f"{file}: would lie among the images of an input; choose another `{setting}`")


def _holds_files(folder: Path) -> bool:
    with suppress(OSError):
        return folder.is_dir() and any(path.is_file() for path in folder.iterdir())
    return False


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and number of a file; None where there is none, or no such name can be."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def files_named(*values: Any) -> list[Path]:
    """Every file that is there and that settings name, however deep: dataclasses, mappings, sequences."""
    found: list[Path] = []
    for value in values:
        if isinstance(value, str | Path):
            with suppress(OSError, ValueError):  # no such name can be
                found += [Path(value)] if Path(value).is_file() else []
        elif isinstance(value, Mapping):
            found += files_named(*value.values())
        elif isinstance(value, (list, tuple, set)):
            found += files_named(*value)
        elif is_dataclass(value):
            found += files_named(*(getattr(value, f.name) for f in fields(value)))
    return found


def write_whole(write: Callable[[BytesIO], object], path: str | Path) -> None:
    """Lets a library write to memory, and then the file: of a full disk each says something else, or nothing.

    Raises:
        OutputError: the file cannot be written.
    """
    memory = BytesIO()
    write(memory)
    with atomic(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


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
    """Looks whether files can be written into a folder that is there or is to be made; leaves nothing.

    Raises:
        OutputError: it is a file, may not be written, or its disk is full.
    """
    if is_remote(folder):
        raise OutputError(f"{address(folder)} is in a bucket; choose a folder of this machine for `out`")
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


def make_folder(folder: Path) -> None:
    """Makes a folder for outputs, and clears away what a dead process left half done in it.

    Raises:
        OutputError: it is a file, or may not be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: no folder can be made here: {error.strerror}; choose another `out`"
        ) from error
    clear_leftovers(folder)
