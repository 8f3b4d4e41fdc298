"""What is happening now: the newest frame of a camera or stream, however long one takes for each.

A stream that is read in order grows old: its frames wait in buffers for a reader that is slower than the
camera. Here a thread reads as fast as frames come, and keeps the newest one that is wanted.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from vidlstm.video.base import VideoReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vidlstm.structures import Frame
    from vidlstm.video.base import Picture, Wanted

CLOCK_DRIFT = 1e-3
"""By how much a camera's clock may run faster or slower than ours; a delay that grows faster is a backlog."""


class LiveReader(VideoReader):
    """A camera or stream; whoever asks gets the newest frame that is wanted and was not given out yet.

    Args:
        source: what reads it in order.
        wanted: see :func:`~vidlstm.video.reader.open_video`; asked for every frame, in the thread that reads.
        timeout_seconds: the source has broken off when it gives no frame for so long.

    Attributes:
        dropped_frames: wanted frames that were never given out, because newer ones came first.
    """

    def __init__(
        self, source: VideoReader, *, wanted: Wanted | None = None, timeout_seconds: float = 10.0
    ) -> None:
        super().__init__(source.info, wanted=wanted)
        self.picture_side = source.picture_side
        self.dropped_frames = 0
        self._source, self._timeout = source, timeout_seconds
        self._transit = Transit(getattr(source, "has_clock", False))
        self._changed = threading.Condition()
        self._waiting: Callable[[], Frame] | None = None
        self._heard, self._ended, self._closed = time.monotonic(), False, False
        self._thread = threading.Thread(target=self._read, name=f"reader of {source.info.path}", daemon=True)
        self._thread.start()

    def _pictures(self) -> Iterator[Picture]:
        return self._source._pictures()

    def _read(self) -> None:
        """Reads until the end; runs in a thread of its own."""
        why = ""
        try:
            for picture in self._pictures():
                if self._closed:
                    return
                self._take(picture)
            why = self._source.truncated
        except Exception as error:  # noqa: BLE001 whatever it is, it is told to the thread that waits
            why = str(error)
        finally:
            self._source.close()
            with self._changed:
                self.truncated, self._ended = self.truncated or why, True
                self._changed.notify_all()

    def _take(self, picture: Picture) -> None:
        seconds, convert = picture
        now = time.monotonic()
        timestamp = self._clock.tick(seconds)
        wanted = self._wanted is None or self._wanted(timestamp)
        taken = self._transit.taken(timestamp, now)
        make = partial(self._frame, convert, timestamp, self.decoded_frames, taken)
        if wanted and not self._source.converts_later:
            frame = make()
            make = partial(lambda: frame)  # made already: the decoder overwrites it with the next one
        with self._changed:
            self._heard = now
            self.decoded_frames = self._source.decoded_frames = self.decoded_frames + 1
            if wanted:
                self.dropped_frames += self._waiting is not None
                self._waiting = make
                self._changed.notify_all()

    def _iterate(self) -> Iterator[Frame]:
        while (waiting := self._next()) is not None:
            yield waiting()
        if self._clock.jumps:
            self._tell(self._jumped())

    def _next(self) -> Callable[[], Frame] | None:
        """Gives the newest frame, as soon as there is one; None after the last."""
        with self._changed:
            while self._waiting is None and not self._ended:
                left = self._heard + self._timeout - time.monotonic()
                if left <= 0:
                    self.truncated = f"no frame for {self._timeout:g} s after {self.decoded_frames} frames"
                    return None
                self._changed.wait(left)
            waiting, self._waiting = self._waiting, None
            return waiting

    def close(self) -> None:
        """Ends the reading. The thread closes the source as soon as that gives a frame or times out."""
        self._closed = True
        self._thread.join(0.2)


class Transit:
    """Tells when a frame was taken from its own time and its arrival.

    The quickest frame so far is taken to have come without delay; one whose arrival lags behind its own time
    by more has waited somewhere on the way. Without a clock of the packets, a frame was taken when it came.

    Args:
        has_clock: whether timestamps are the camera's, not those of arrival.
    """

    def __init__(self, has_clock: bool) -> None:
        self._has_clock = has_clock
        self._quickest: float | None = None
        self._last = 0.0

    def taken(self, timestamp_seconds: float, arrived_seconds: float) -> float:
        """When a frame was taken, on the clock of its arrival."""
        if not self._has_clock:
            return arrived_seconds
        transit = arrived_seconds - timestamp_seconds
        if self._quickest is not None:
            leak = CLOCK_DRIFT * (arrived_seconds - self._last)
            transit = min(transit, self._quickest + leak)
        self._quickest, self._last = transit, arrived_seconds
        return timestamp_seconds + transit
