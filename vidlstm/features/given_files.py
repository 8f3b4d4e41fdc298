"""Features that were made elsewhere: a ``.npy``, ``.npz``, ``.safetensors`` or ``.parquet`` file a sequence.

What a file claims to hold is read from its header and checked before memory is taken; nothing is unpickled.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars

from vidlstm.errors import DatasetError, SettingsError, VideoError
from vidlstm.media import FEATURE_SUFFIXES, hidden, suffix_of

MOST_NUMBERS = 1 << 29
"""In one file; two gigabytes, or four hours of 2048 features at 18 a second."""
PIECE_NUMBERS = 1 << 20
"""That are read at a time, of a file that can be read so."""
FEATURES, TIMES = "features", ("timestamps", "timestamps_seconds")
"""Names of arrays in files of several: of the features, and of the times of their steps."""
FLOATS = {"F16": "f2", "F32": "f4", "F64": "f8"}
"""Names of number types in safetensors files."""


@dataclass(frozen=True)
class Header:
    """What a file says of one of its arrays."""

    shape: tuple[int, ...]
    dtype: str


def find_feature_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are named, and those in folders, however deep, sorted.

    Raises:
        SettingsError: a file has another ending.
        DatasetError: a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_wanted(p.relative_to(path)) and p.is_file())
        elif suffix_of(path.name) not in FEATURE_SUFFIXES:
            raise SettingsError(
                f"{path} is no file of features ({_endings()}), which is all that is read here: the network "
                "was trained on features that were made elsewhere, and nothing makes them of a video"
            )
        if not inside:
            raise DatasetError(f"{path} holds no file of features ({_endings()})")
        found += inside
    return found


def refuse_feature_files(paths: Sequence[Path], what: str) -> None:
    """Refuses files of features where videos are wanted.

    Raises:
        SettingsError: there is one; ``what`` says why it is of no use.
    """
    for path in paths:
        if suffix_of(path.name) in FEATURE_SUFFIXES and not path.is_dir():
            raise SettingsError(f"{path} holds features, not frames; {what}")


def _is_wanted(path: Path) -> bool:
    return suffix_of(path.name) in FEATURE_SUFFIXES and not any(map(hidden, path.parts))


def _endings() -> str:
    return ", ".join(sorted(f".{suffix}" for suffix in FEATURE_SUFFIXES))


def shape_of(path: Path) -> tuple[int, int]:
    """The shape of the features in a file, from its header.

    Raises:
        VideoError: ``not_features``, or the file is not there.
    """
    with _telling(path):
        _, headers, name = _inside(path)
        return _shape(headers[name])


def pieces_of(path: Path) -> Iterator[np.ndarray]:
    """The features of a file, 2-D as they lie there, some rows after another where they can be read so.

    Raises:
        VideoError: see :func:`shape_of`.
    """
    with _telling(path):
        kind, headers, name = _inside(path)
        _shape(headers[name])
        yield from kind.read(path, name)


def times_in(path: Path) -> np.ndarray | None:
    """The times of the steps in a file, where it has any.

    Raises:
        VideoError: see :func:`shape_of`.
    """
    with _telling(path):
        kind, headers, features = _inside(path)
        name = next((t for t in TIMES if t in headers and t != features), None)
        if name is None:
            return None
        _check_size(headers[name])
        return next(kind.read(path, name))


class _BadFileError(Exception):
    """The message says what is wrong with a file."""


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    if not path.is_file():  # a pipe or a device would be read without end
        raise VideoError(path, reason="missing")
    try:
        yield
    except _BadFileError as error:
        raise VideoError(path, reason="not_features", detail=str(error)) from error
    except (Exception, polars.exceptions.PanicException) as error:  # each stumbles in its own way
        said = str(error).partition("\n")[0].partition(" If you trust")[0]  # numpy's advice is to unpickle
        detail = f"it is damaged: {said[:200]}"
        raise VideoError(path, reason="not_features", detail=detail) from error


def _name_in(headers: dict[str, Header]) -> str:
    tables = [name for name, header in headers.items() if len(header.shape) == 2]
    if FEATURES in headers:
        return FEATURES
    if len(tables) != 1:
        names = ", ".join(sorted(headers)[:10]) or "nothing"
        raise _BadFileError(f"it holds {names}; call the array of the features {FEATURES!r}")
    return tables[0]


def _shape(header: Header) -> tuple[int, int]:
    _check_size(header)
    if len(header.shape) != 2 or 0 in header.shape:
        raise _BadFileError(f"its shape is {header.shape}; a table of steps and features is wanted")
    return header.shape[0], header.shape[1]


def _check_size(header: Header) -> None:
    dtype = np.dtype(header.dtype) if header.dtype else None
    if dtype is None or dtype.hasobject or dtype.kind != "f" or dtype.itemsize > 8:
        raise _BadFileError(f"it holds {header.dtype or 'other numbers'}; save float16, float32 or float64")
    if math.prod(header.shape) > MOST_NUMBERS:
        raise _BadFileError(f"its shape is {header.shape}, over {MOST_NUMBERS} numbers; save it in pieces")


def _npy_headers(path: Path) -> dict[str, Header]:
    return {FEATURES: _header_of(np.load(path, mmap_mode="r", allow_pickle=False))}  # checks its size, too


def _header_of(array: np.ndarray) -> Header:
    return Header(array.shape, array.dtype.str)


def _read_npy(path: Path, name: str) -> Iterator[np.ndarray]:
    rows, columns = _npy_headers(path)[FEATURES].shape
    step = max(1, PIECE_NUMBERS // columns)
    for first in range(0, rows, step):
        # Mapped anew for each piece: what was read of a mapped file stays in memory as long as the mapping.
        yield np.load(path, mmap_mode="r", allow_pickle=False)[first : first + step]


def _npz_headers(path: Path) -> dict[str, Header]:
    with zipfile.ZipFile(path) as archive:
        found = {}
        for member in archive.infolist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else _newer_header
                shape, _, dtype = read(file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
                raise _BadFileError(f"{member.filename} in it is shorter than its header says")
            found[member.filename.removesuffix(".npy")] = Header(shape, dtype.str)
        return found


def _newer_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = np.lib.format.read_array_header_2_0(file)
    return header


def _read_npz(path: Path, name: str) -> Iterator[np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        yield archive[name]


def _safetensors_headers(path: Path) -> dict[str, Header]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        return {
            name: Header(tuple(part.get_shape()), FLOATS.get(str(part.get_dtype()), ""))
            for name, part in slices.items()
        }


def _read_safetensors(path: Path, name: str) -> Iterator[np.ndarray]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        yield file.get_tensor(name)


def _parquet_headers(path: Path) -> dict[str, Header]:
    schema = polars.read_parquet_schema(path)
    if other := [name for name, dtype in schema.items() if not dtype.is_float()]:
        raise _BadFileError(
            f"its columns {', '.join(other[:10])} hold no floating-point numbers; every column is a feature, "
            "and a row a step: leave the others out"
        )
    rows = polars.scan_parquet(path, glob=False).select(polars.len()).collect().item()
    return {FEATURES: Header((int(rows), len(schema)), "<f8")}


def _read_parquet(path: Path, name: str) -> Iterator[np.ndarray]:
    yield polars.read_parquet(path, glob=False).to_numpy()


@dataclass(frozen=True)
class _Kind:
    headers: Callable[[Path], dict[str, Header]]
    read: Callable[[Path, str], Iterator[np.ndarray]]


KINDS = {
    "npy": _Kind(_npy_headers, _read_npy),
    "npz": _Kind(_npz_headers, _read_npz),
    "safetensors": _Kind(_safetensors_headers, _read_safetensors),
    "parquet": _Kind(_parquet_headers, _read_parquet),
}
"""How a file is read, by its ending."""


def _inside(path: Path) -> tuple[_Kind, dict[str, Header], str]:
    """How a file is read, what it holds by name, and the name of the features among it."""
    kind = _kind_of(path)
    headers = kind.headers(path)
    return kind, headers, _name_in(headers)


def _kind_of(path: Path) -> _Kind:
    suffix = suffix_of(path.name)
    if suffix not in KINDS:
        raise _BadFileError(f"its ending is none of {_endings()}")
    return KINDS[suffix]
