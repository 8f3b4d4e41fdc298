"""Writes H.264 that every player and browser shows; a file under the wanted name is always whole."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from vidlstm.errors import VideoError
from vidlstm.files import scratch
from vidlstm.video.container import FAILURES, plain

if TYPE_CHECKING:
    from types import TracebackType

    from av.container import OutputContainer
    from av.video.stream import VideoStream

TICKS = 90_000
"""Time steps per second: MPEG's clock, exact for 24, 25, 30, 50, 60 and 30000/1001 frames per second."""

_BT709 = 1
"""The number of the BT.709 colours in H.264's tables. Without it, players guess by the size."""


class VideoWriter:
    """A context manager that writes RGB frames to an MP4 file (H.264, yuv420p, index at the front).

    The file grows in a temporary folder beside its place and is put there when the block ends
    without an error; after an error nothing is left. An older file of that name is replaced, and its folder
    is made. An odd height or width gains one row or column, a copy of the last.

    Args:
        path: where to write.
        fps: frames per second, for frames written without a time.
        height, width: pixels of every frame.
        quality: x264's constant rate factor: 0 is lossless, 51 the worst.

    Raises:
        VideoError: ``unwritable``, from any method and from the end of the block.
        ValueError: for a size or rate out of range.
    """

    def __init__(self, path: str | Path, *, fps: float, height: int, width: int, quality: int = 20) -> None:
        if height < 1 or width < 1 or not 0.001 <= fps <= 1000:
            raise ValueError(f"size must be positive and fps in 0.001..1000, not {height}x{width} at {fps}")
        self.path = Path(path)
        self.written_frames = 0
        self._packets = 0
        self._shape = (height, width, 3)
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        self._step = TICKS / Fraction(fps).limit_denominator(1001)
        self._next_ticks, self._last_ticks = Fraction(0), -1
        self._kept = ExitStack()
        try:
            self._temporary = self._kept.enter_context(scratch(self.path.parent)) / self.path.name
            self._container = av.open(
                f"file:{self._temporary}", "w", format="mp4", container_options={"movflags": "+faststart"}
            )
        except FAILURES as error:
            self._kept.close()
            raise self._error(plain(error)) from error
        try:
            self._stream = self._add_stream(self._container, quality)
        except FAILURES as error:
            self._abandon()
            raise self._error(plain(error)) from error

    def _add_stream(self, container: OutputContainer, quality: int) -> VideoStream:
        stream = container.add_stream("libx264", rate=TICKS / self._step)
        stream.height = self._shape[0] + self._padding[0][1]
        stream.width = self._shape[1] + self._padding[1][1]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(quality), "preset": "veryfast"}
        context = stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        container.start_encoding()
        return stream

    def write(self, image: np.ndarray, timestamp_seconds: float | None = None) -> None:
        """Appends one frame.

        Args:
            image: RGB ``uint8 (H, W, 3)``.
            timestamp_seconds: when it is shown, kept to 1/90000 s; one frame after the last if not given.

        Raises:
            VideoError: ``unwritable``.
            ValueError: for another shape or dtype, or a time that is negative or does not rise.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"frames are uint8 {self._shape}, not {image.dtype} {image.shape}")
        ticks = self._ticks(timestamp_seconds)
        even = np.pad(image, self._padding, mode="edge") if any(map(any, self._padding)) else image
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        frame = rgb.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.colorspace, frame.color_range = _BT709, ColorRange.MPEG
        frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
        self._encode(frame)
        self.written_frames += 1

    def _ticks(self, timestamp_seconds: float | None) -> int:
        exact = self._next_ticks if timestamp_seconds is None else Fraction(timestamp_seconds) * TICKS
        ticks = round(exact)
        if ticks <= self._last_ticks:
            raise ValueError(f"times must rise from zero on, not go to {timestamp_seconds} s")
        self._last_ticks, self._next_ticks = ticks, exact + self._step
        return ticks

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
                self._packets += 1
        except FAILURES as error:
            raise self._error(plain(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def _finish(self) -> None:
        if self.written_frames == 0:
            raise self._error("no frame was given")
        self._encode(None)
        if self._packets != self.written_frames:
            raise self._error(f"the encoder gave {self._packets} pictures for {self.written_frames} frames")
        try:
            self._container.close()
            self._temporary.replace(self.path)
        except FAILURES as error:
            raise self._error(plain(error)) from error

    def _abandon(self) -> None:
        """Leaves nothing behind; harmless after success."""
        with suppress(*FAILURES):
            self._container.close()
        self._kept.close()

    def _error(self, detail: str) -> VideoError:
        return VideoError(self.path, reason="unwritable", detail=detail, frame=self.written_frames)
