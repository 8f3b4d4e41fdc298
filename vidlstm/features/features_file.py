"""One features file: its bytes, and whether they are the ones that were written.

A safetensors file with ``features (T, F) float16`` and ``timestamps (T,) float64``. Its metadata say of which
spec and of which video it is, why the video ended early, and the CRC-32 of all of it. Nothing here imports
torch or knows how features are made.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from vidlstm.structures import FeatureSequence

if TYPE_CHECKING:
    from pathlib import Path

HEADER_BYTES = 4096
"""Room left for the header, which can only be written once the length is known."""


class DamagedError(Exception):
    """A features file is not what was written, or not what its place says; the message says how."""


def read_features(path: Path, rows_TF: np.ndarray | None = None) -> FeatureSequence:
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
        header, start = _checked_header(path)
        shape, metadata = tuple(header["features"]["shape"]), header["__metadata__"]
        features = np.empty(shape, "<f2") if rows_TF is None else rows_TF
        if features.shape != shape:
            raise DamagedError(f"it holds features {shape}, not {features.shape}")
        with path.open("rb") as file:
            file.seek(start)
            file.readinto(features.data)  # no second copy of hours of features
            times = np.fromfile(file, "<f8")
    except (ValueError, TypeError) as error:
        raise DamagedError(f"it cannot be read: {error}") from error
    if "checksum" in metadata:
        if metadata["checksum"] != checksum_of(header, crc32(times.data, crc32(features.data))):
            raise DamagedError("its checksum is not that of its bytes")
    elif not (np.isfinite(features).all() and np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise DamagedError("it holds features or times that cannot be")
    return FeatureSequence(features, times, metadata.get("truncated", ""))


def damage_of(path: Path) -> str:
    """What is wrong with a file, all of which is read; empty where nothing is."""
    try:
        read_features(path)
    except (DamagedError, OSError) as error:
        return str(error)
    return ""


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, checked against the file's place and size.

    Raises:
        DamagedError: it is damaged, or of another spec or video.
        OSError: it cannot be read.
    """
    return _checked_header(path)[0]


def _checked_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and where the data begin."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(min(size, 1 << 20)))
        _check(header, 8 + size, path)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise DamagedError(f"its header cannot be read: {error}") from error
    return header, 8 + size


def _check(header: dict[str, Any], start: int, path: Path) -> None:
    metadata, features, times = header["__metadata__"], header["features"], header["timestamps"]
    if hashlib.sha256(metadata["spec"].encode()).hexdigest() != path.parents[1].name:
        raise DamagedError("it names another spec than its folder")
    if metadata.get("video", path.stem) != path.stem:
        raise DamagedError("it holds the features of another video")
    steps, width = features["shape"]
    if width != json.loads(metadata["spec"])["feature_dim"]:
        raise DamagedError(f"it holds features of {width} numbers")
    if header.keys() - {"__metadata__"} != {"features", "timestamps"} or min(steps, width) < 0:
        raise DamagedError("it holds something else")
    if (features, times) != arrays_of(steps, width):
        raise DamagedError("its header does not describe what it holds")
    if path.stat().st_size != (whole := start + times["data_offsets"][1]):
        raise DamagedError(f"{path.stat().st_size} bytes instead of {whole}")


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
    text = json.dumps({**header, "__metadata__": metadata}, sort_keys=True)
    return f"{crc32(text.encode(), crc):08x}"
