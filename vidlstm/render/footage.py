"""The frames of a video that outputs are drawn on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vidlstm.structures import Frame
    from vidlstm.video.reader import VideoReader

LARGEST = 1920
"""Of the longer side of a picture that is drawn on, pixels: an encoder holds dozens of them."""
_LOOKED_AT = 9
"""So many frames say how far apart they are."""


@dataclass
class DrawingReport:
    """How many frames of a video have been drawn on so far."""

    video: str
    frames: int = 0


class Footage:
    """The frames of a video, to be drawn on: read once, none larger than :data:`LARGEST`.

    Args:
        reader: of the video.
        video: its name.
        progress: told after each frame, with the number of frames expected.

    Attributes:
        scale: pixels here for one of the video; at most 1.
        fps: from the median step between the first frames, for headers may claim anything; None of one frame.
    """

    def __init__(
        self, reader: VideoReader, video: str, progress: Callable[[DrawingReport, int], None] | None
    ) -> None:
        height, width = reader.info.height, reader.info.width
        self.scale = min(1.0, LARGEST / max(height, width, 1))
        if self.scale < 1:
            self._size = max(1, round(width * self.scale)), max(1, round(height * self.scale))
            drawn = "{} x {}".format(*self._size)
            warnings.warn(
                f"{video}: its frames of {width} x {height} pixels are drawn at {drawn}", stacklevel=5
            )
        self._report, self._tell = DrawingReport(video), progress or (lambda report, expected: None)
        frames = map(self._shrunk, reader)
        first = list(islice(frames, _LOOKED_AT))
        steps = np.diff([frame.timestamp_seconds for frame in first])
        self.fps = 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else None
        self._frames, self._info = chain(first, frames), reader.info

    def _shrunk(self, frame: Frame) -> Frame:
        if self.scale == 1:
            return frame
        return replace(frame, image=cv2.resize(frame.image, self._size, interpolation=cv2.INTER_AREA))

    def expected(self) -> int:
        """How many frames the header leads one to expect; 0 where it does not say."""
        seconds = self._info.claimed_duration_seconds or 0.0
        return self._info.claimed_frames or round(min(seconds * (self.fps or 0.0), 1e12))

    def __iter__(self) -> Iterator[Frame]:
        expected = self.expected()
        for frame in self._frames:
            yield frame
            self._report.frames += 1
            self._tell(self._report, max(expected, self._report.frames + 1) if expected else 0)
        self._tell(self._report, self._report.frames)
