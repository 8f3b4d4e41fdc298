"""The second reader: OpenCV. For files that PyAV fails on, and for cameras and network streams.

OpenCV says nothing of why a file ends and counts times from zero, so what PyAV can read of the header is
taken from there.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

# OpenCV's copy of FFmpeg writes to the terminal unless told not to before its first use (-8: nothing at all).
# What went wrong is in our own errors.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from vidlstm.errors import VideoError
from vidlstm.structures import VideoInfo
from vidlstm.video.base import VideoReader
from vidlstm.video.container import (
    SAFE_OPTIONS,
    Opening,
    check_is_file,
    first_video_stream,
    open_container,
    read_header,
)
from vidlstm.video.fitting import coded_size, finished, scaled_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted
    from vidlstm.video.container import Header

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_environment_lock = threading.Lock()


class OpenCVReader(VideoReader):
    """Reads a file, a camera (a number) or a stream (an address) with OpenCV. Opening decodes a frame.

    A camera's or stream's times are seconds of real time since its first frame.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, or ``empty``.
    """

    converts_later = False

    def __init__(
        self,
        path: str | Path | int,
        *,
        size: FrameSize | None = None,
        wanted: Wanted | None = None,
        live: bool = False,
    ) -> None:
        self._path, self._size, self._live = path, size, live
        self._header, self._turn, self._late_ticks = None, None, 0
        if not live and not isinstance(path, int):
            self._header = _header(path)
            self._turn, self._late_ticks = _first_frame(path)
        self._capture = _open(path, live)
        try:
            first = self._first_picture()
        except VideoError:
            self._capture.release()
            raise
        self._opened = time.monotonic()
        super().__init__(
            self._info(*coded_size((first.shape[0], first.shape[1]), self._quarters)),
            wanted=wanted,
            start_seconds=self._header.start_seconds if self._header else 0.0,
            end_seconds=self._header.end_seconds if self._header else None,
        )

    def _first_picture(self) -> np.ndarray:
        """Grabs the first frame, which stays grabbed, and tells how it lies."""
        if not self._capture.isOpened():
            raise self._error("unreadable", "OpenCV cannot open it")
        if not self._capture.grab():
            raise self._error("empty", "OpenCV gets no frame")
        clockwise = self._capture.get(cv2.CAP_PROP_ORIENTATION_META)
        self._quarters, self._mirrored = self._turn or (-round(clockwise / 90) % 4, False)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        return self._retrieve(0)

    def _number(self, what: int) -> float | None:
        """A claim of OpenCV's, where it is one: absent values come as zero, negative or huge."""
        value = self._capture.get(what)
        return value if 0 < value < 1e9 else None

    def _info(self, height: int, width: int) -> VideoInfo:
        header, count = self._header, self._number(cv2.CAP_PROP_FRAME_COUNT)
        fps = header.fps if header else self._number(cv2.CAP_PROP_FPS)
        return VideoInfo(
            path=str(self._path),
            height=height,
            width=width,
            claimed_frames=header.frames if header else round(count) if count else None,
            claimed_fps=fps,
            claimed_duration_seconds=header.duration_seconds if header else None,
            codec=header.codec if header else _four_letters(self._capture.get(cv2.CAP_PROP_FOURCC)),
            decoder="opencv",
            rotation_degrees=-90 * self._quarters % 360,
            mirrored=self._mirrored,
        )

    def _pictures(self) -> Iterator[Picture]:
        grabbed = True
        while grabbed:
            yield self._seconds(), self._image
            grabbed = self._capture.grab()
        # A source that claims no length has no end of its own.
        if self._live and self.info.claimed_frames is None:
            what = "camera" if isinstance(self._path, int) else "stream"
            self.truncated = f"the {what} stopped after {self.decoded_frames} frames"

    def _seconds(self) -> float | None:
        if self._live:
            return time.monotonic() - self._opened
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self.decoded_frames and seconds <= 0:  # what OpenCV says of the frames that come late
            return None
        header = self._header
        if header is None or header.start_ticks is None:
            return seconds
        # OpenCV has subtracted the start; whole ticks give the same floating-point number as PyAV's.
        ticks = round(seconds / header.time_base) + header.start_ticks - self._late_ticks
        return float(ticks * header.time_base)

    def _image(self, other: FrameSize | None = None) -> np.ndarray:
        shape, size = (self.info.height, self.info.width), other or self._size
        upright = scaled_size(*shape, size) if size else shape
        coded = self._retrieve(self.decoded_frames)
        try:
            scaled = resized(coded, *coded_size(upright, self._quarters))
            return finished(
                cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB), self._quarters, size, mirrored=self._mirrored
            )
        except (cv2.error, MemoryError) as error:
            raise self._error("unreadable", str(error), self.decoded_frames) from error

    def _retrieve(self, frame: int) -> np.ndarray:
        """The grabbed frame as it lies in the file, BGR."""
        try:
            done, image = self._capture.retrieve()
        except cv2.error as error:
            raise self._error("unreadable", str(error), frame) from error
        if not done:
            raise self._error("unreadable", "OpenCV cannot convert a frame", frame)
        return image

    def _error(self, reason: str, detail: str, frame: int = 0) -> VideoError:
        return VideoError(str(self._path), reason=reason, detail=detail, frame=frame)

    def close(self) -> None:  # noqa: D102 as in VideoReader
        self._capture.release()


def _header(path: str | Path) -> Header | None:
    """What PyAV reads of the header; None where it cannot open the file at all."""
    check_is_file(path)
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # OpenCV's process dies of such a name
        raise VideoError(path, reason="unreadable", detail="OpenCV wants a file name in UTF-8") from error
    try:
        with open_container(path) as container:
            header = read_header(container, first_video_stream(container, path))
    except VideoError as error:
        if error.reason != "unreadable":
            raise
        return None
    if header.index > 0:
        raise VideoError(
            path, reason="unreadable", detail="OpenCV sees only the cover picture in front of the video"
        )
    return header


def _first_frame(path: str | Path) -> tuple[tuple[int, bool] | None, int]:
    """How frames lie, and how many ticks late OpenCV gives them; None and 0 where PyAV decodes nothing."""
    try:
        opening = Opening(path)
    except VideoError:
        return None, 0
    with opening.container:
        return opening.turn(), opening.late_ticks if opening.container.format.name == "avi" else 0


def _open(path: str | Path | int, live: bool) -> cv2.VideoCapture:
    with _quiet():
        if isinstance(path, int):
            return cv2.VideoCapture(path)
        if live:
            return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        with _file_options():
            return cv2.VideoCapture(f"file:{path}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV's own warnings off, and back to what the user had."""
    # OpenCV 4 has the function at the top, OpenCV 5 further down.
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    before = set_level(0)
    try:
        yield
    finally:
        set_level(before)


@contextmanager
def _file_options() -> Iterator[None]:
    """The only way to hand options to OpenCV's FFmpeg is this variable, read at each opening."""
    with _environment_lock:
        before = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = "|".join(f"{key};{value}" for key, value in SAFE_OPTIONS.items())
        try:
            yield
        finally:
            if before is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = before


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Area averaging along the sides that shrink, linear interpolation along those that grow."""
    between = min(height, image.shape[0]), min(width, image.shape[1])
    if image.shape[:2] != between:
        image = cv2.resize(image, between[::-1], interpolation=cv2.INTER_AREA)
    if between != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def _four_letters(code: float) -> str:
    letters = int(code).to_bytes(4, "little", signed=True) if abs(code) < 2**31 else b""
    return letters.decode("ascii", "replace").strip("\0 ").lower() or "unknown"
