"""Writes H.264 that every player and browser shows; a file under the wanted name is always whole."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
import numpy as np

from vidlstm.errors import VideoError
from vidlstm.video.container import FAILURES, plain

if TYPE_CHECKING:
    from types import TracebackType

    from av.container import OutputContainer
    from av.video.stream import VideoStream

TICKS = 90_000
"""Time steps per second, the clock of MPEG: exact for 24, 25, 30 and 30000/1001 frames per second."""


class VideoWriter:
    """A context manager that writes RGB frames to an MP4 file (H.264, yuv420p, index at the front).

    The file grows under a temporary name in the same folder and gets its own name when the block ends
    without an error; after an error nothing is left. Odd sizes gain one row or column, a copy of the last.

    Args:
        path: where to write; its folder is made. An older file there is replaced.
        fps: frames per second, for frames written without a time.
        height, width: pixels of every frame.
        quality: x264's constant rate factor; 0 is lossless, 23 its default, 51 the worst.

    Raises:
        VideoError: ``unwritable``, from any method.
        ValueError: for a size or rate that is not positive.
    """

    def __init__(self, path: str | Path, *, fps: float, height: int, width: int, quality: int = 20) -> None:
        if height < 1 or width < 1 or not 0 < fps < TICKS:
            raise ValueError(f"size and rate must be positive, not {height}x{width} at {fps}")
        self.path = Path(path)
        self.written_frames = 0
        self._shape = (height, width, 3)
        self._pad = ((0, height % 2), (0, width % 2), (0, 0))
        self._step = Fraction(fps).limit_denominator(1001) ** -1
        self._last_ticks: int | None = None
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container, self._stream = self._open(fps, quality)

    def _open(self, fps: float, quality: int) -> tuple[OutputContainer, VideoStream]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            container = av.open(
                f"file:{self._temporary}", "w", format="mp4", container_options={"movflags": "+faststart"}
            )
        except FAILURES as error:
            raise VideoError(self.path, reason="unwritable", detail=plain(error)) from error
        try:
            stream = container.add_stream("libx264", rate=1 / self._step)
            stream.height, stream.width = self._shape[0] + self._pad[0][1], self._shape[1] + self._pad[1][1]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, TICKS)
            stream.options = {"crf": str(quality), "preset": "veryfast"}
            container.start_encoding()
        except FAILURES as error:
            container.close()
            self._temporary.unlink(missing_ok=True)
            raise VideoError(self.path, reason="unwritable", detail=plain(error)) from error
        return container, stream

    def write(self, image: np.ndarray, timestamp_seconds: float | None = None) -> None:
        """Appends one frame: RGB ``uint8 (H, W, 3)``.

        Args:
            image: the frame.
            timestamp_seconds: when it is shown, to 1/90000 s; one frame after the last where not given.

        Raises:
            VideoError: ``unwritable``.
            ValueError: for another shape or dtype, or a time that does not rise or is negative.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"frames are uint8 {self._shape}, not {image.dtype} {image.shape}")
        frame = av.VideoFrame.from_ndarray(np.pad(image, self._pad, mode="edge"), format="rgb24")
        frame.pts, frame.time_base = self._ticks(timestamp_seconds), Fraction(1, TICKS)
        self._encode(frame)
        self.written_frames += 1

    def _ticks(self, timestamp_seconds: float | None) -> int:
        last = self._last_ticks
        if timestamp_seconds is not None:
            ticks = round(timestamp_seconds * TICKS)
        else:
            ticks = 0 if last is None else last + round(self._step * TICKS)
        if ticks < 0 or (last is not None and ticks <= last):
            raise ValueError(f"times must rise from 0 or later, not {timestamp_seconds} s")
        self._last_ticks = ticks
        return ticks

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except FAILURES as error:
            raise VideoError(
                self.path, reason="unwritable", detail=plain(error), frame=self.written_frames
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._container.close()
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self.written_frames == 0:
            raise VideoError(self.path, reason="unwritable", detail="no frame was given")
        self._encode(None)
        try:
            self._container.close()
            self._temporary.replace(self.path)
        except FAILURES as error:
            raise VideoError(
                self.path, reason="unwritable", detail=plain(error), frame=self.written_frames
            ) from error
