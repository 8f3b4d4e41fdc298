"""The first reader: FFmpeg through PyAV. Own timestamps, every codec of its wheel, errors that are told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from av.video.reformatter import Interpolation, VideoReformatter

from vidlstm.errors import VideoError
from vidlstm.structures import VideoInfo
from vidlstm.video.base import VideoReader
from vidlstm.video.container import FAILURES, Opening, open_container, plain
from vidlstm.video.fitting import coded_size, finished, scaled_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted
    from vidlstm.video.container import Header


class PyAVReader(VideoReader):
    """Reads a file with PyAV. Opening it decodes the first frame, so that what opens has a picture.

    Frames are shrunk by area averaging in the same pass that converts their colours.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, or ``empty``.
    """

    def __init__(
        self, path: str | Path, *, size: FrameSize | None = None, wanted: Wanted | None = None
    ) -> None:
        self._path, self._size = path, size
        opening = Opening(path, self._open)
        header, self._container = opening.header, opening.container
        self._first, self._decoded = opening.first, opening.rest
        # AVI keeps no presentation times. FFmpeg's guesses at them go back and forth on files with B-frames
        # packed together, but its decoding times, which come with the frames in order, rise.
        self._late_ticks = opening.late_ticks if self._container.format.name == "avi" else None
        self._reformatter = VideoReformatter()
        self._quarters, self._mirrored = opening.turn()
        self._shape = coded_size((self._first.height, self._first.width), self._quarters)
        super().__init__(
            self._info(header),
            wanted=wanted,
            start_seconds=header.start_seconds,
            end_seconds=header.end_seconds,
        )
        if opening.skipped:
            first = (
                f"first {opening.skipped} video streams give"
                if opening.skipped > 1
                else "first video stream gives"
            )
            self._tell(f"its {first} no picture; the next is read")

    def _open(self) -> InputContainer:
        return open_container(self._path)

    def _info(self, header: Header) -> VideoInfo:
        return VideoInfo(
            path=str(self._path),
            height=self._shape[0],
            width=self._shape[1],
            claimed_frames=header.frames,
            claimed_fps=header.fps,
            claimed_duration_seconds=header.duration_seconds,
            codec=header.codec,
            decoder="pyav",
            rotation_degrees=-90 * self._quarters % 360,
            mirrored=self._mirrored,
        )

    def _pictures(self) -> Iterator[Picture]:
        frame: VideoFrame | None = self._first
        del self._first
        while frame is not None:
            yield self._seconds(frame), partial(self._image, frame)
            try:
                frame = next(self._decoded, None)
            except FAILURES as error:
                self.truncated = f"{plain(error)} after {self.decoded_frames} frames"
                return

    def _seconds(self, frame: VideoFrame) -> float | None:
        ticks = frame.pts
        if self._late_ticks is not None:
            ticks = None if frame.dts is None else frame.dts - self._late_ticks
        return None if ticks is None or frame.time_base is None else float(ticks * frame.time_base)

    def _image(self, frame: VideoFrame, other: FrameSize | None = None) -> np.ndarray:
        size = other or self._size
        upright = scaled_size(*self._shape, size) if size else self._shape
        height, width = coded_size(upright, self._quarters)
        same = (height, width) == (frame.height, frame.width)
        try:
            # AREA averages along a side that shrinks and interpolates along one that grows, as the OpenCV
            # reader does. Through planes of colour (gbrp), because packed RGB halves the colour resolution
            # of the small picture. At full size BICUBIC gives OpenCV's numbers exactly.
            image = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="rgb24" if same else "gbrp",
                interpolation=Interpolation.BICUBIC if same else Interpolation.AREA,
            ).to_ndarray()
        except FAILURES as error:
            raise VideoError(
                self._path, reason="unreadable", detail=plain(error), frame=self.decoded_frames
            ) from error
        return finished(image, self._quarters, size, mirrored=self._mirrored)

    def close(self) -> None:  # noqa: D102 as in VideoReader
        self._container.close()
