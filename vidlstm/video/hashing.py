"""By what a video is known: the hash of its bytes, so that a renamed file is found again."""

from __future__ import annotations

import hashlib
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.errors import VideoError
from vidlstm.media import frames_in
from vidlstm.video.container import check_is_file, plain

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_BYTES = 1 << 20


def hash_video(path: Path, *, beat: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a video's bytes; of a folder of images, of their names and bytes.

    Args:
        path: the video. Other files in a folder of images do not count.
        beat: called after every piece read: large files on slow disks take minutes.

    Raises:
        VideoError: it is not there, is neither an ordinary file nor a folder, or cannot be read.
    """
    try:
        if not path.is_dir():
            check_is_file(path)
            return _hash_file(path, beat)
        digest = hashlib.sha256()
        for image in (path / name for name in frames_in(path)[0]):
            digest.update(f"{image.name}\0{_hash_file(image, beat)}\n".encode(errors="surrogateescape"))
    except BrokenPipeError:
        raise  # of the beat
    except OSError as error:
        raise VideoError(path, reason="unreadable", detail=plain(error)) from error
    return digest.hexdigest()


def hash_within(path: Path, timeout_seconds: float = 60.0) -> str:
    """:func:`hash_video` in a thread of its own, which is left behind where a disk does not answer.

    Args:
        path: the video.
        timeout_seconds: longest wait for a piece of ``PIECE_BYTES``.

    Raises:
        VideoError: see :func:`hash_video`; ``timeout`` where no piece came in time.
    """
    said: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            said.put(hash_video(path, beat=lambda: said.put(None)))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            said.put(error)

    threading.Thread(target=work, name="hash", daemon=True).start()
    try:
        while (answer := said.get(timeout=timeout_seconds)) is None:
            pass
    except queue.Empty:
        detail = f"nothing was read for {timeout_seconds:g} s"
        raise VideoError(path, reason="timeout", detail=detail) from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _hash_file(path: Path, beat: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            beat()
    return digest.hexdigest()
