"""What every reader promises, and the bookkeeping that all of them share.

A reader hands over decoded pictures one by one with the time the container gives them; this module counts
them, mends their clock, asks which are wanted, and judges at the end whether the video stopped too early.
It knows no decoder.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from vidlstm.errors import without_login
from vidlstm.structures import Frame, VideoInfo
from vidlstm.video.clock import Clock
from vidlstm.video.fitting import within

if TYPE_CHECKING:
    from types import TracebackType

Wanted = Callable[[float], bool]
"""Asked once per decoded frame, in time order, with its time in seconds: is it wanted?"""

Picture = tuple[float | None, Callable[..., np.ndarray]]
"""The container's time of a decoded frame, if it has one, and the function that converts the frame: to the
size that was asked for, or to another that it is called with."""

SHORT_FRAMES = 2
"""How many frames may be missing at the end before a video counts as truncated: headers are off by one."""

SHORT_SHARE = 0.01
"""The same as a share of the whole video; the larger of the two counts."""


class VideoReader(ABC):
    """A video that is read once, front to back; a context manager that iterates over frames.

    Frames are RGB ``uint8 (H, W, 3)``, upright and C-contiguous, with strictly rising times in seconds from
    the container, see :class:`~vidlstm.video.clock.Clock`. Without a ``size`` all have the size that ``info``
    gives, that of the first frame. Pixels are taken to be square. Iterating a second time goes on where the
    first stopped. What a user should know of a video comes as a warning that names it.

    Attributes:
        info: what the container claims, and which reader was taken.
        decoded_frames: every frame decoded so far, also those not wanted.
        truncated: empty, or why the video ended before its header said; valid after iteration.
        picture_side: frames carry a picture for people, no side of which is longer; None: they carry none.
        converts_later: whether a frame may still be converted when the next ones have been decoded.
    """

    converts_later: ClassVar[bool] = True

    def __init__(
        self,
        info: VideoInfo,
        *,
        wanted: Wanted | None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
    ) -> None:
        self.info = info
        self.decoded_frames = 0
        self.truncated = ""
        self.picture_side: int | None = None
        self._wanted = wanted
        self._first_seconds, self._end_seconds = 0.0, end_seconds
        self._clock = Clock(info.claimed_fps, start_seconds)
        self._frames = self._iterate()

    @abstractmethod
    def _pictures(self) -> Iterator[Picture]:
        """Yields each decoded frame; where the decoder gives up, sets ``truncated`` and returns."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file. May be called twice."""

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self) -> Iterator[Frame]:
        for seconds, convert in self._pictures():
            timestamp = self._clock.tick(seconds)
            index = self.decoded_frames
            if not index:
                self._first_seconds = timestamp
            self.decoded_frames += 1
            if self._wanted is None or self._wanted(timestamp):
                yield self._frame(convert, timestamp, index)
        self.truncated = self.truncated or self._ended_early()
        if self._clock.jumps:
            self._tell(self._jumped())

    def _frame(
        self, convert: Callable[..., np.ndarray], seconds: float, index: int, taken: float | None = None
    ) -> Frame:
        side = self.picture_side
        picture = convert(within(self.info.height, self.info.width, side)) if side else None
        return Frame(convert(), seconds, index, taken, picture)

    def _tell(self, what: str) -> None:
        """Warns of something that the user should know of this video."""
        warnings.warn(f"{without_login(self.info.path)}: {what}", stacklevel=2)

    def _jumped(self) -> str:
        before, after = self._clock.first_jump
        more = f", and {self._clock.jumps - 1} times more" if self._clock.jumps > 1 else ""
        return (
            f"its clock jumps from {before:.2f} s to {after:.2f} s{more}; "
            "times are counted on as if it did not"
        )

    def _ended_early(self) -> str:
        """Why a video that ended without an error is short, or nothing.

        Two claims of the header are weighed, the number of frames and the duration; each may be wrong alone
        (a count that includes frames cut away by an edit list, a last frame shown for seconds). A video is
        truncated only where every claim that was made says so, by more than ``SHORT_FRAMES`` frames and
        more than ``SHORT_SHARE`` of the whole.
        """
        short = [claim for claim in (self._short_in_frames(), self._short_in_time()) if claim is not None]
        return short[0] if short and all(short) else ""

    def _short_in_frames(self) -> str | None:
        claimed = self.info.claimed_frames
        if not claimed:
            return None
        missing = claimed - self.decoded_frames
        short = missing > max(SHORT_FRAMES, SHORT_SHARE * claimed)
        return f"ends after {self.decoded_frames} of {claimed} frames" if short else ""

    def _short_in_time(self) -> str | None:
        duration, fps = self.info.claimed_duration_seconds, self.info.claimed_fps
        if not duration or not fps or not self.decoded_frames or self._end_seconds is None:
            return None
        # Browsers claim a thousand frames a second, whatever they record.
        between = (self._clock.furthest_seconds - self._first_seconds) / max(1, self.decoded_frames - 1)
        frame = max(1 / fps, between)
        missing = self._end_seconds - (self._clock.furthest_seconds + frame)
        short = missing > max(SHORT_FRAMES * frame, SHORT_SHARE * duration)
        return f"ends {missing:.2f} s before its {duration:.2f} s are over" if short else ""
