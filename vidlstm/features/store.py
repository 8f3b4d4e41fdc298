"""The feature store: one safetensors file per video, written in a temporary folder and then put in place.

Layout: ``<root>/<fingerprint>/spec.json`` and ``<root>/<fingerprint>/<hash[:2]>/<hash>.safetensors``; see
``features_file.py``. The root is a folder on disk or in a bucket (``s3://bucket/features``), with the same
layout and the same bytes. Nothing here knows how features are made.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zlib import crc32

import numpy as np

from vidlstm import remote
from vidlstm.addresses import address, is_remote
from vidlstm.errors import OutputError, StoreError, side_by_side
from vidlstm.features.features_file import (
    HEADER_BYTES,
    DamagedError,
    Look,
    header_of,
    look_at,
    place_of,
    read_features,
    read_header,
    steps_in,
)
from vidlstm.features.uploads import Uploads
from vidlstm.files import clear_leftovers, scratch, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from vidlstm.features.spec import FeatureSpec
    from vidlstm.structures import FeatureSequence

REMOTE_READERS = 32
"""A bucket takes some hundredths of a second to answer, whoever else it answers meanwhile."""
_NUMBERS = itertools.count()
LARGEST = float(np.finfo(np.float16).max)


class FeatureStore:
    """The features of one spec under one root folder. Any number of processes may use one store.

    Args:
        root: created when the first features are written.
        spec: what the features must be.

    Attributes:
        folder: of this fingerprint.
        local: a folder of this machine: that one, where it is on disk.
        readers: how many videos are best read at a time.

    Raises:
        StoreError: the folder of this fingerprint was written with another spec, or cannot be reached.
    """

    dtype = np.dtype("<f2")

    def __init__(self, root: Path, spec: FeatureSpec) -> None:
        self.spec = spec
        self.root = Path(root)
        self.folder = self.root / spec.fingerprint
        self._folder = str(self.folder)  # pathlib would take as long as the reading
        self._uploads = Uploads() if is_remote(self.root) else None
        self.readers = 1 if self._uploads is None else REMOTE_READERS
        self.local = self.folder if self._uploads is None else Path(tempfile.gettempdir())
        self._spec_is_there = self._check_spec()

    def _check_spec(self) -> bool:
        """Whether ``spec.json`` is there, and this one."""
        path = self.folder / "spec.json"
        try:
            found = json.loads(remote.read(path) if self._uploads else path.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False  # it is for people: every file says of itself what it holds; the next one mends it
        except OSError as error:
            raise StoreError(f"{address(path)} cannot be read: {error.strerror or error}") from error
        if found != self.spec.as_dict():
            raise StoreError(
                f"{address(path)} does not describe the features asked for; use another `store`:\n"
                f"{side_by_side(self.spec.as_dict(), found)}"
            )
        return True

    def path_of(self, video_hash: str) -> Path:
        """Where the features of a video with this hash lie."""
        return Path(self._place_of(video_hash))

    def _place_of(self, video_hash: str) -> str:
        return place_of(self._folder, video_hash)

    def has(self, video_hash: str) -> bool:
        """Whether this video's features are there and whole; all of them are read."""
        return self.look(video_hash).have

    def look(self, video_hash: str) -> Look:
        """What lies in the place of one video's features; see :func:`look_at`."""
        return look_at(self._place_of(video_hash))

    def get(self, video_hash: str) -> FeatureSequence:
        """Reads the features of one video.

        Raises:
            StoreError: there are none, or the file is damaged.
        """
        path = self._place_of(video_hash)
        with _reading(path):
            return read_features(path)

    def read_into(self, video_hash: str, rows_TF: np.ndarray) -> np.ndarray:
        """Reads the features of one video to where they belong, and returns their times ``(T,)``.

        Args:
            video_hash: which.
            rows_TF: of :attr:`dtype`, in one piece.

        Raises:
            StoreError: there are none, or the file is damaged.
        """
        path = self._place_of(video_hash)
        with _reading(path):
            return read_features(path, rows_TF).timestamps_seconds

    def truncated(self, video_hash: str) -> str:
        """Why this video ended early, or an empty string; reads the header alone."""
        path = self._place_of(video_hash)
        with _reading(path):
            return str(read_header(path)["__metadata__"].get("truncated", ""))

    def length(self, video_hash: str) -> int:
        """T; of a file on disk by its size, which tells of most damage; :meth:`get` checks the rest."""
        path = self._place_of(video_hash)
        with _reading(path):
            if self._uploads is None:
                return steps_in(path, self.spec.feature_dim)
            return int(read_header(path)["features"]["shape"][0])

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for what is half done, of several videos if need be; it is gone when the block ends.

        Raises:
            StoreError: nothing can be written here.
        """
        with contextlib.ExitStack() as kept:
            with _telling(self.root):
                folder = kept.enter_context(scratch(self.local))
            yield folder

    def writer(self, video_hash: str, room: Path | None = None) -> FeatureWriter:
        """Starts writing one video's features; see :class:`FeatureWriter`.

        Args:
            video_hash: which.
            room: from :meth:`room`; None takes one of its own.

        Raises:
            StoreError: nothing can be written here.
        """
        if not self._spec_is_there:
            text = json.dumps(self.spec.as_dict(), indent=1, sort_keys=True)
            path = self.folder / "spec.json"
            with _telling(self.root):
                remote.write(text.encode(), path) if self._uploads else write_text(text, path)
            self._spec_is_there = True
        place = self.room() if room is None else contextlib.nullcontext(room)
        return FeatureWriter(self.path_of(video_hash), self.spec, place, self._uploads)

    def settle(self) -> None:
        """Waits until all that was written is in its place.

        Raises:
            StoreError: some of it cannot be written.
        """
        if self._uploads is not None:
            with _telling(self.root):
                self._uploads.settle()

    def remove_leftovers(self) -> None:
        """Deletes what killed processes left half written, under this spec and all others of the store."""
        for folder in [self.local] if self._uploads else self.root.glob("*/"):
            clear_leftovers(folder)


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

    ``commit`` writes the header into the room left for it and puts the file in its place; ``abort`` removes
    it. Killed in between, it leaves only a folder of the half done, which the next extraction clears away.

    Args:
        path: the file's place.
        spec: of the features.
        room: gives the folder for the temporary file; on the disk of ``path``, where that is on one.
        uploads: puts the file into its bucket.

    Raises:
        StoreError: in every method, where the disk is full or the place cannot be written to.
    """

    def __init__(
        self,
        path: Path,
        spec: FeatureSpec,
        room: contextlib.AbstractContextManager[Path],
        uploads: Uploads | None = None,
    ) -> None:
        self.path, self._spec, self._uploads = path, spec, uploads
        self._timestamps: list[float] = []
        self._crc = 0
        with _telling(path), contextlib.ExitStack() as kept:
            if uploads is None:
                path.parent.mkdir(parents=True, exist_ok=True)
            # The same video may be written twice at once, under two names.
            self._temporary = kept.enter_context(room) / f"{path.name}.{next(_NUMBERS)}.part"
            kept.callback(self._temporary.unlink, missing_ok=True)
            # Unbuffered: features come by the thousands, and abort must not find anything left to write.
            self._file: IO[bytes] = kept.enter_context(self._temporary.open("xb", buffering=0))
            self._file.seek(8 + HEADER_BYTES)
            self._kept = kept.pop_all()

    def __len__(self) -> int:
        return len(self._timestamps)

    def append(self, features_TF: np.ndarray, timestamps_seconds: list[float]) -> None:
        """Adds steps; ``features (t, F)`` of any float type, with a timestamp each.

        Values beyond float16 are stored as its largest.

        Raises:
            StoreError: also where a feature is not a number.
        """
        assert features_TF.shape == (len(timestamps_seconds), self._spec.feature_dim)
        self._add(storable(features_TF, self.path).tobytes())
        self._timestamps += timestamps_seconds

    def commit(self, *, truncated: str = "") -> None:
        """Finishes the file and puts it in place, atomically; where that fails, throws it away."""
        try:
            self._finish(truncated)
        except StoreError:
            self.abort()
            raise

    def _finish(self, truncated: str) -> None:
        self._add(np.asarray(self._timestamps, dtype="<f8").tobytes())
        why = truncated[:400].encode("ascii", "backslashreplace").decode()[:1600]
        metadata = {"spec": self._spec.canonical, "video": self.path.stem, "truncated": why}
        self._file.seek(0)
        self._write(header_of(len(self._timestamps), self._spec.feature_dim, metadata, self._crc))
        with _telling(self.path):
            os.fsync(self._file.fileno())
            self._file.close()
            if self._uploads is not None:
                self._uploads.put(self._temporary, self.path, self._kept.close)
                return
            self._temporary.replace(self.path)
        self._kept.close()

    def _add(self, data: bytes) -> None:
        self._crc = crc32(data, self._crc)
        self._write(data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        with _telling(self.path):
            while rest:
                rest = rest[self._file.write(rest) :]

    def abort(self) -> None:
        """Throws away what was written."""
        self._kept.close()

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
    except (OSError, OutputError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"{address(path)} cannot be written: {reason}; make room or choose another `store`"
        ) from error


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (DamagedError, OSError) as error:
        raise StoreError(
            f"{address(path)} is damaged or cannot be read ({error}); delete it and extract again"
        ) from error
