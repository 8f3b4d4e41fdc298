"""The feature store: one safetensors file per video, written under a temporary name and then renamed.

Layout: ``<root>/<fingerprint>/spec.json`` and ``<root>/<fingerprint>/<hash[:2]>/<hash>.safetensors`` with
``features (T, F) float16`` and ``timestamps (T,) float64``. Nothing here knows how features are made.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import struct
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vidlstm.errors import StoreError, side_by_side
from vidlstm.structures import FeatureSequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from vidlstm.features.spec import FeatureSpec

HEADER_BYTES = 4096
"""Room left for the safetensors header, which can only be written once the length is known."""
LEFTOVER_SECONDS = 3600
LARGEST = float(np.finfo(np.float16).max)


class FeatureStore:
    """The features of one spec under one root folder. Any number of processes may use one store.

    Args:
        root: created when the first features are written.
        spec: what the features must be.

    Raises:
        StoreError: the folder of this fingerprint was written with another spec.
    """

    def __init__(self, root: Path, spec: FeatureSpec) -> None:
        self.spec = spec
        self.root = Path(root)
        self.folder = self.root / spec.fingerprint
        self._check_spec()

    def _check_spec(self) -> None:
        path = self.folder / "spec.json"
        if not path.is_file():
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise StoreError(
                f"{path} is damaged or cannot be read ({error}); delete {self.folder} and extract again"
            ) from error
        if found != self.spec.as_dict():
            raise StoreError(
                f"{path} does not describe the features asked for; use another `store`:\n"
                f"{side_by_side(self.spec.as_dict(), found)}"
            )

    def path_of(self, video_hash: str) -> Path:
        """Where the features of a video with this hash lie."""
        return self.folder / video_hash[:2] / f"{video_hash}.safetensors"

    def has(self, video_hash: str) -> bool:
        """Whether this video's features are complete. A file appears only when it is."""
        return self.path_of(video_hash).is_file()

    def get(self, video_hash: str) -> FeatureSequence:
        """Reads the features of one video.

        Raises:
            StoreError: there are none, or the file is damaged.
        """
        arrays, metadata = self._open(video_hash)
        return FeatureSequence(
            features=arrays["features"],
            timestamps_seconds=arrays["timestamps"],
            truncated=metadata.get("truncated", ""),
        )

    def truncated(self, video_hash: str) -> str:
        """Why this video ended early, or an empty string; reads the header alone."""
        return str(self._header(self.path_of(video_hash))["__metadata__"].get("truncated", ""))

    def length(self, video_hash: str) -> int:
        """T; reads the header alone."""
        return int(self._header(self.path_of(video_hash))["features"]["shape"][0])

    def _header(self, path: Path) -> dict[str, Any]:
        try:
            with path.open("rb") as file:
                (size,) = struct.unpack("<Q", file.read(8))
                header: dict[str, Any] = json.loads(file.read(min(size, 1 << 20)))
            promised = 8 + size + int(header["timestamps"]["data_offsets"][1])
            if path.stat().st_size != promised:
                raise ValueError(f"{path.stat().st_size} bytes instead of {promised}")
        except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
            raise _damaged(path, error) from error
        return header

    def _open(self, video_hash: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        from safetensors import SafetensorError, safe_open

        path = self.path_of(video_hash)
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in ("features", "timestamps")}
                metadata = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error
        if arrays["features"].shape[1:] != (self.spec.feature_dim,):
            raise StoreError(f"{path} holds {arrays['features'].shape}, not (T, {self.spec.feature_dim})")
        return arrays, metadata

    def writer(self, video_hash: str) -> FeatureWriter:
        """Starts writing one video's features; see :class:`FeatureWriter`.

        Raises:
            StoreError: nothing can be written here.
        """
        path = self.folder / "spec.json"
        with _telling(self.root):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.is_file():
                _write_atomically(path, json.dumps(self.spec.as_dict(), indent=1, sort_keys=True))
        return FeatureWriter(self.path_of(video_hash), self.spec)

    def remove_leftovers(self) -> None:
        """Deletes what killed processes left half written: temporary files untouched for an hour."""
        for part in self.folder.rglob(".*.part"):
            with contextlib.suppress(FileNotFoundError):  # another process may be clearing up too
                if time.time() - part.stat().st_mtime > LEFTOVER_SECONDS:
                    part.unlink()


def storable(features_TF: np.ndarray, what: object) -> np.ndarray:
    """Features as they are kept: float16, values beyond it its largest.

    Raises:
        StoreError: a feature is not a number; ``what`` is named.
    """
    if np.isnan(features_TF).any():
        raise StoreError(
            f"the features for {what} are not numbers (nan); the weights may be damaged, or the "
            "network needs `backbone.dtype float32`"
        )
    return features_TF.clip(-LARGEST, LARGEST).astype("<f2")


class FeatureWriter:
    """Appends features to a temporary file, so that memory does not grow with the video's length.

    ``commit`` writes the header into the room left for it and renames the file into place; ``abort``
    removes it. Killed in between, it leaves only a ``.part`` file, which nothing reads.

    Raises:
        StoreError: in every method, where the disk is full or the place cannot be written to.
    """

    def __init__(self, path: Path, spec: FeatureSpec) -> None:
        self.path, self._spec = path, spec
        self._timestamps: list[float] = []
        self._temporary = _temporary_beside(path)
        with _telling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: features come by the thousands, and abort must not find anything left to write.
            self._file: IO[bytes] = self._temporary.open("xb", buffering=0)
            self._file.seek(8 + HEADER_BYTES)

    def __len__(self) -> int:
        return len(self._timestamps)

    def append(self, features_TF: np.ndarray, timestamps_seconds: list[float]) -> None:
        """Adds steps; ``features (t, F)`` of any float type, with a timestamp each.

        Values beyond float16 are stored as its largest.

        Raises:
            StoreError: also where a feature is not a number.
        """
        assert features_TF.shape == (len(timestamps_seconds), self._spec.feature_dim)
        self._write(storable(features_TF, self.path).tobytes())
        self._timestamps += timestamps_seconds

    def commit(self, *, truncated: str = "") -> None:
        """Finishes the file and puts it in place, atomically; where that fails, throws it away."""
        try:
            self._finish(truncated)
        except StoreError:
            self.abort()
            raise

    def _finish(self, truncated: str) -> None:
        steps, width = len(self._timestamps), self._spec.feature_dim
        split, end = steps * width * 2, steps * width * 2 + steps * 8
        self._write(np.asarray(self._timestamps, dtype="<f8").tobytes())
        why = truncated[:400].encode("ascii", "backslashreplace").decode()[:1600]
        header = {
            "__metadata__": {"spec": self._spec.canonical, "truncated": why},
            "features": {"dtype": "F16", "shape": [steps, width], "data_offsets": [0, split]},
            "timestamps": {"dtype": "F64", "shape": [steps], "data_offsets": [split, end]},
        }
        text = json.dumps(header).encode()
        assert len(text) <= HEADER_BYTES, len(text)
        self._file.seek(0)
        self._write(struct.pack("<Q", HEADER_BYTES) + text.ljust(HEADER_BYTES))
        with _telling(self.path):
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        with _telling(self.path):
            while rest:
                rest = rest[self._file.write(rest) :]

    def abort(self) -> None:
        """Throws away what was written."""
        self._file.close()
        with contextlib.suppress(OSError):  # nothing reads it, and the next extraction clears it away
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self.abort()


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}; make room or choose another `store`"
        ) from error


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} is damaged or cannot be read ({error}); delete it and extract again")


def _temporary_beside(path: Path) -> Path:
    # Unlike tempfile, this leaves the file's permissions to the user's umask: stores are shared.
    return path.with_name(f".{path.stem[:16]}-{os.getpid()}-{secrets.token_hex(4)}.part")


def _write_atomically(path: Path, text: str) -> None:
    temporary = _temporary_beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
