"""Frames decoded in a thread of their own, a few ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.errors import VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from vidlstm.structures import Frame, VideoInfo
    from vidlstm.video.reader import VideoReader

DEPTH = 16
"""Frames that wait, at most."""
MOST_BYTES = 1 << 28
"""Of their pictures; one waits in any case."""


class ReadAhead:
    """Iterates over (frame, prepared frame) while the next ones are decoded and prepared.

    The thread opens, reads and closes the video by itself, so that nothing is closed under a decoder's
    feet; one that hangs is left behind.

    Args:
        open_video: opens the video.
        prepare: done to each picture in the thread, such as scaling.
        pictures: whether frames keep theirs; without, they are black and take no memory.
        timeout_seconds: how long the decoder may take for a frame, wanted or not.

    Attributes:
        info: what the container claims; there as soon as the first frame is.
        decoded_frames: every frame decoded, and
        truncated: why the video ended early; both valid after iteration.
    """

    info: VideoInfo

    def __init__(
        self,
        open_video: Callable[[], VideoReader],
        *,
        prepare: Callable[[np.ndarray], np.ndarray] = lambda image: image,
        pictures: bool = True,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.decoded_frames, self.truncated = 0, ""
        self._open, self._prepare, self._timeout = open_video, prepare, timeout_seconds
        self._pictures = pictures
        self._reader: VideoReader | None = None
        self._queue: queue.Queue[tuple[Frame, np.ndarray] | BaseException | None] = queue.Queue(DEPTH)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._open() as reader:
                self.info, self._reader = reader.info, reader
                for frame in reader:
                    prepared = self._prepare(frame.image)
                    kept = frame if self._pictures else replace(frame, image=_black(frame.image.shape))
                    self._queue.maxsize = min(DEPTH, 1 + MOST_BYTES // max(1, held_bytes(kept)))
                    if not self._put((kept, prepared)):
                        return
                self.decoded_frames, self.truncated = reader.decoded_frames, reader.truncated
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever takes the frames
            self._put(error)

    def _put(self, item: tuple[Frame, np.ndarray] | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[tuple[Frame, np.ndarray]]:
        """Each frame once.

        Raises:
            VideoError: see ``open_video``; ``timeout`` where no frame came in time.
        """
        seen = 0
        while (item := self._take(seen)) is not None:
            if isinstance(item, BaseException):
                raise item
            seen += 1
            yield item

    def _take(self, seen: int) -> tuple[Frame, np.ndarray] | BaseException | None:
        while True:
            decoded = self._decoded()
            try:
                return self._queue.get(timeout=self._timeout)
            except queue.Empty:
                if self._decoded() == decoded:
                    path = self.info.path if hasattr(self, "info") else "the video"
                    raise VideoError(path, reason="timeout", frame=seen) from None

    def _decoded(self) -> int:
        """What shows that the decoder lives: it may pass over many frames before one that is wanted."""
        return self._reader.decoded_frames if self._reader else 0

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=2.0)


def held_bytes(frame: Frame) -> int:
    """What a frame's picture takes in memory."""
    return frame.image.nbytes if any(frame.image.strides) else 0


def _black(shape: tuple[int, ...]) -> np.ndarray:
    """A picture of which every value is the same byte."""
    return np.broadcast_to(np.uint8(0), shape)
