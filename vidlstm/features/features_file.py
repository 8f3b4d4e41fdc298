"""One features file: its bytes, and whether they are the ones that were written.

A safetensors file with ``features (T, F) float16`` and ``timestamps (T,) float64``. Its metadata say of which
spec and of which video it is, why the video ended early, and the CRC-32 of all of it. Nothing here imports
torch or knows how features are made.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from vidlstm import remote
from vidlstm.addresses import is_remote
from vidlstm.structures import FeatureSequence

if TYPE_CHECKING:
    from pathlib import Path

HEADER_BYTES = 4096
"""Room left for the header, which can only be written once the length is known."""
MOST_HEADER_BYTES = 1 << 20
SPACES = b" " * HEADER_BYTES
SUFFIX = ".safetensors"
SORTED = json.JSONEncoder(sort_keys=True)
"""One for all headers: ``json.dumps`` would make one for each."""


def place_of(folder: str, video_hash: str) -> str:
    """Where the features of a video lie.

    Args:
        folder: of a spec, on disk or in a bucket.
        video_hash: what the video is known by.
    """
    return f"{folder}{os.sep}{video_hash[:2]}{os.sep}{video_hash}{SUFFIX}"


class DamagedError(Exception):
    """A features file is not what was written, or not what its place says; the message says how."""


def read_features(path: Path | str, rows_TF: np.ndarray | None = None) -> FeatureSequence:
    """Reads a file and checks all of it: against its place, its checksum, and what features can be.

    Files without a checksum are older ones: their numbers must be finite and their times rise.

    Args:
        path: ``<fingerprint>/<hash[:2]>/<hash>.safetensors``.
        rows_TF: where the features go, float16 in one piece; None makes room for them.

    Raises:
        DamagedError: it is damaged, of another spec or video, or holds more or less than there is room for.
        OSError: it cannot be read.
    """
    try:
        file, file_bytes = _opened(path)
        with file:
            header, start = _checked_header(_first_bytes(file), path, file_bytes)
            shape, metadata = tuple(header["features"]["shape"]), header["__metadata__"]
            features = np.empty(shape, "<f2") if rows_TF is None else rows_TF
            if features.shape != shape:
                raise DamagedError(f"it holds features {shape}, not {features.shape}")
            times = np.empty(len(features), "<f8")
            file.seek(start)
            _fill(features, file)  # no second copy of hours of features
            _fill(times, file)
    except (ValueError, TypeError) as error:
        raise DamagedError(f"it cannot be read: {error}") from error
    if "checksum" in metadata:
        if metadata["checksum"] != checksum_of(header, crc32(times.data, crc32(features.data))):
            raise DamagedError("its checksum is not that of its bytes")
    elif not (np.isfinite(features).all() and np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise DamagedError("it holds features or times that cannot be")
    return FeatureSequence(features, times, metadata.get("truncated", ""))


def _opened(path: Path | str) -> tuple[io.FileIO | io.BytesIO, int]:
    """A file, or an object in a bucket, and how many bytes it has."""
    if is_remote(path):
        data = remote.read(path)
        return io.BytesIO(data), len(data)
    file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - pathlib takes as long as the reading
    return file, os.fstat(file.fileno()).st_size


def _first_bytes(file: io.FileIO | io.BytesIO) -> bytes:
    """The header and perhaps more."""
    start: bytes = file.read(8 + HEADER_BYTES)
    if (size := int.from_bytes(start[:8], "little")) > HEADER_BYTES:  # another program's
        start += file.read(min(size, MOST_HEADER_BYTES) - HEADER_BYTES)
    return start


def _fill(array: np.ndarray, file: io.FileIO | io.BytesIO) -> None:
    rest = array.reshape(-1).view(np.uint8).data
    while rest:
        if not (count := file.readinto(rest)):
            raise DamagedError("it ends early")
        rest = rest[count:]


@dataclass(frozen=True)
class Look:
    """What was found in the place of a video's features.

    Attributes:
        have: they are there and whole.
        truncated: why the video ended early.
        damage: what is wrong with a file that is there.
    """

    have: bool = False
    truncated: str = ""
    damage: str = ""


def look_at(path: Path | str) -> Look:
    """Looks for a features file, and reads all of it; in a bucket its header alone.

    There, an object appears whole or not at all, and the bucket keeps checksums of its own.

    Raises:
        OSError: the bucket does not answer, so that nobody knows.
    """
    try:
        if is_remote(path):
            return Look(True, str(read_header(path)["__metadata__"].get("truncated", "")))
        there = os.path.isfile(path)  # noqa: PTH113 - see above
        return Look(True, read_features(path).truncated) if there else Look()
    except FileNotFoundError:
        return Look()
    except DamagedError as error:
        return Look(damage=str(error))
    except OSError as error:
        if is_remote(path):
            raise
        return Look(damage=str(error))


def read_header(path: Path | str) -> dict[str, Any]:
    """The header alone, checked against the file's place and size.

    Raises:
        DamagedError: it is damaged, or of another spec or video.
        OSError: it cannot be read.
    """
    if is_remote(path):
        return _checked_header(remote.read(path, 8 + HEADER_BYTES), path, None)[0]
    file, file_bytes = _opened(path)
    with file:
        return _checked_header(_first_bytes(file), path, file_bytes)[0]


def steps_in(path: Path | str, width: int) -> int:
    """T, by the size of a file on disk: who reads it checks the rest.

    Args:
        path: see :func:`read_features`.
        width: F.

    Raises:
        DamagedError: no T gives this size.
        OSError: it cannot be read.
    """
    file, file_bytes = _opened(path)
    with file:
        start = file.read(8)
    steps, rest = divmod(file_bytes - 8 - int.from_bytes(start, "little"), width * 2 + 8)
    if len(start) < 8 or steps < 0 or rest:
        raise DamagedError(f"{file_bytes} bytes are no whole number of steps")
    return steps


def _checked_header(
    start: bytes | memoryview, path: Path | str, file_bytes: int | None
) -> tuple[dict[str, Any], int]:
    """The header that a file starts with, and where the data begin; None: its size is not known."""
    try:
        (size,) = struct.unpack("<Q", start[:8])
        header: dict[str, Any] = json.loads(_without_padding(bytes(start[8 : 8 + size])))
        _check(header, path)
        whole = 8 + size + header["timestamps"]["data_offsets"][1]
        if file_bytes not in (None, whole):
            raise DamagedError(f"{file_bytes} bytes instead of {whole}")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise DamagedError(f"its header cannot be read: {error}") from error
    return header, 8 + size


def _without_padding(text: bytes) -> bytes:
    """A header without the spaces after it, which json and rstrip would look at one by one."""
    end = text.rindex(b"}") + 1
    return text[:end] if text[end:] == SPACES[: len(text) - end] else text


def _check(header: dict[str, Any], path: Path | str) -> None:
    metadata, features, times = header["__metadata__"], header["features"], header["timestamps"]
    fingerprint, feature_dim = _known_by(metadata["spec"])
    *_, folder, _, name = os.fspath(path).rsplit(os.sep, 3)
    if fingerprint != folder:
        raise DamagedError("it names another spec than its folder")
    if metadata.get("video", stem := name.removesuffix(SUFFIX)) != stem:
        raise DamagedError("it holds the features of another video")
    steps, width = features["shape"]
    if width != feature_dim:
        raise DamagedError(f"it holds features of {width} numbers")
    if header.keys() - {"__metadata__"} != {"features", "timestamps"} or min(steps, width) < 0:
        raise DamagedError("it holds something else")
    if (features, times) != arrays_of(steps, width):
        raise DamagedError("its header does not describe what it holds")


@lru_cache(maxsize=16)
def _known_by(spec: str) -> tuple[str, Any]:
    """The fingerprint of a spec and its F; all files of a folder have the same."""
    return hashlib.sha256(spec.encode()).hexdigest(), json.loads(spec)["feature_dim"]


def arrays_of(steps: int, width: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a header says of ``features (T, F)`` and of ``timestamps (T,)``."""
    split, end = steps * width * 2, steps * width * 2 + steps * 8
    return (
        {"dtype": "F16", "shape": [steps, width], "data_offsets": [0, split]},
        {"dtype": "F64", "shape": [steps], "data_offsets": [split, end]},
    )


def header_of(steps: int, width: int, metadata: dict[str, str], crc: int) -> bytes:
    """The beginning of a file, ``8 + HEADER_BYTES`` long.

    Args:
        steps, width: T, F.
        metadata: without the checksum.
        crc: of the bytes of the features and then of the timestamps.
    """
    features, timestamps = arrays_of(steps, width)
    header = {"__metadata__": metadata, "features": features, "timestamps": timestamps}
    header["__metadata__"] = {**metadata, "checksum": checksum_of(header, crc)}
    text = json.dumps(header).encode()
    assert len(text) <= HEADER_BYTES, len(text)
    return struct.pack("<Q", HEADER_BYTES) + text.ljust(HEADER_BYTES)


def checksum_of(header: dict[str, Any], crc: int) -> str:
    """The CRC-32 of the data and then of the header without its checksum."""
    # CRC-32: damage is what it is for, and it costs 0.3 ms/MB; BLAKE2b takes 1.3, SHA-256 0.7, a read 0.2.
    metadata = {name: text for name, text in header["__metadata__"].items() if name != "checksum"}
    text = SORTED.encode({**header, "__metadata__": metadata})
    return f"{crc32(text.encode(), crc):08x}"
