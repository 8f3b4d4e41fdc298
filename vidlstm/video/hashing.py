"""By what a video is known: the hash of its bytes, so that a renamed file is found again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.media import frames_in

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 1 << 20


def hash_video(path: Path, *, beat: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a video's bytes; of a folder of images, of their names and bytes.

    Args:
        path: the video. Other files in a folder of images do not count.
        beat: called after every piece read: large files on slow disks take minutes.

    Raises:
        OSError: it cannot be read.
        VideoError: see :func:`~vidlstm.media.frames_in`.
    """
    if not path.is_dir():
        return _hash_file(path, beat)
    digest = hashlib.sha256()
    for image in (path / name for name in frames_in(path)[0]):
        digest.update(f"{image.name}\0{_hash_file(image, beat)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _hash_file(path: Path, beat: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            beat()
    return digest.hexdigest()
