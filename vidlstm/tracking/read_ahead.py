"""Frames decoded in a thread of their own, a few ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from vidlstm.errors import VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    import numpy as np

    from vidlstm.structures import Frame, VideoInfo
    from vidlstm.video.reader import VideoReader

DEPTH = 16
"""Frames that wait, at most."""


class ReadAhead:
    """Iterates over (frame, prepared frame) while the next ones are decoded and prepared.

    The thread opens, reads and closes the video by itself, so that nothing is closed under a decoder's
    feet; one that hangs is left behind.

    Args:
        open_video: opens the video.
        prepare: done to each picture in the thread, such as scaling.
        timeout_seconds: how long to wait for a frame.

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
        timeout_seconds: float = 60.0,
    ) -> None:
        self.decoded_frames, self.truncated = 0, ""
        self._open, self._prepare, self._timeout = open_video, prepare, timeout_seconds
        self._queue: queue.Queue[tuple[Frame, np.ndarray] | BaseException | None] = queue.Queue(DEPTH)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._open() as reader:
                self.info = reader.info
                for frame in reader:
                    if not self._put((frame, self._prepare(frame.image))):
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
        try:
            return self._queue.get(timeout=self._timeout)
        except queue.Empty:
            path = self.info.path if hasattr(self, "info") else "the video"
            raise VideoError(path, reason="timeout", frame=seen) from None

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=2.0)
