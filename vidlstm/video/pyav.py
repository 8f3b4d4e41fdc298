"""The first reader: FFmpeg through PyAV. True timestamps, every codec of its wheel, errors that are told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from vidlstm.errors import VideoError
from vidlstm.video.base import VideoReader
from vidlstm.video.container import (
    FAILURES,
    describe,
    first_video_stream,
    open_container,
    plain,
    start_seconds,
)
from vidlstm.video.fitting import placed, scaled_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av import VideoFrame

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted


class PyAVReader(VideoReader):
    """Reads a file with PyAV. Opening it decodes the first frame, so that what opens has a picture.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, or ``empty``.
    """

    def __init__(
        self, path: str | Path, *, size: FrameSize | None = None, wanted: Wanted | None = None
    ) -> None:
        self._container = open_container(path)
        try:
            self._stream = first_video_stream(self._container, path)
            # One process per core decodes: threads inside a decoder would only take turns.
            self._stream.codec_context.thread_count = 1
            self._decoded = self._container.decode(self._stream)
            self._first = self._first_frame(path)
        except VideoError:
            self._container.close()
            raise
        # FFmpeg gives the turn counter-clockwise.
        self._quarters = round(self._first.rotation / 90) % 4
        self._size = size
        self._reformatter = VideoReformatter()
        self._shape = _turned((self._first.height, self._first.width), self._quarters)
        info = describe(
            path,
            self._container,
            self._stream,
            decoder="pyav",
            shape=self._shape,
            turn=-90 * self._quarters % 360,
        )
        super().__init__(info, wanted=wanted, start_seconds=start_seconds(self._stream))

    def _first_frame(self, path: str | Path) -> VideoFrame:
        try:
            return next(self._decoded)
        except StopIteration:
            raise VideoError(path, reason="empty", detail="the stream ends at once") from None
        except FAILURES as error:
            raise VideoError(path, reason="empty", detail=plain(error)) from error

    def _pictures(self) -> Iterator[Picture]:
        frame: VideoFrame | None = self._first
        while frame is not None:
            yield self._seconds(frame), partial(self._image, frame)
            try:
                frame = next(self._decoded, None)
            except FAILURES as error:
                self.truncated = f"{plain(error)} after {self.decoded_frames} frames"
                return

    def _seconds(self, frame: VideoFrame) -> float | None:
        return frame.time

    def _image(self, frame: VideoFrame) -> np.ndarray:
        """Scales and converts in one pass, then turns, then cuts or pads."""
        scaled = scaled_size(*self._shape, self._size) if self._size else self._shape
        height, width = _turned(scaled, self._quarters)
        smaller = height <= frame.height and width <= frame.width
        image = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=Interpolation.AREA if smaller else Interpolation.BILINEAR,
        ).to_ndarray()
        upright = np.rot90(image, self._quarters) if self._quarters else image
        return placed(upright, self._size) if self._size else np.ascontiguousarray(upright)

    def close(self) -> None:  # noqa: D102 as in VideoReader
        self._container.close()


def _turned(shape: tuple[int, int], quarters: int) -> tuple[int, int]:
    return (shape[1], shape[0]) if quarters % 2 else shape
