"""Opening a media file and nothing else: no network, no playlist, no second file; and reading its header.

Both readers start here, so that both take the same stream and believe the same claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.stream import Disposition

from vidlstm.addresses import is_remote
from vidlstm.errors import VideoError
from vidlstm.video.fitting import turn_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,obu,av1,ivf,flv,asf,ogg,"
    "gif,apng,mxf,nut,rm,dv,wtv,h261,h263,vc1,yuv4mpegpipe,mjpeg,gxf,swf,nsv,mp3,wav,flac,aac,ac3,eac3,aiff,w64"
)
"""Container formats that hold their own data. Playlists (hls, dash, concat, sdp), image patterns and devices
are left out: they would open other files, addresses or hardware."""

SAFE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
"""What both readers tell libavformat when they open a file."""

MOST_PIXELS = 1 << 27
"""Of a picture: 16384 x 8192, as large as panoramas of the whole sphere are."""

FAILURES = (av.FFmpegError, OSError, ValueError, MemoryError)
"""What PyAV raises on damaged input."""


@dataclass(frozen=True)
class Header:
    """What a container claims of its first video stream. None: it does not say.

    Attributes:
        frames, fps, duration_seconds: as in ``VideoInfo``.
        end_seconds: when the last frame should have gone, on the stream's own clock.
        start_ticks, time_base: the first time on that clock, and the seconds per tick.
        index: the stream's number among the video streams.
        codec: short name.
    """

    frames: int | None
    fps: float | None
    duration_seconds: float | None
    end_seconds: float | None
    start_ticks: int | None
    time_base: Fraction
    index: int
    codec: str

    @property
    def start_seconds(self) -> float:
        """The first time on the stream's own clock; zero where it is not said."""
        return float((self.start_ticks or 0) * self.time_base)


def check_is_file(path: str | Path) -> None:
    """Tells the failures that need no decoder to find.

    Raises:
        VideoError: ``missing``, or ``unreadable`` where it is not an ordinary file or holds nothing.
    """
    if is_remote(path):
        raise VideoError(path, reason="unreadable", detail="it is in a bucket; copy it to this machine first")
    file = Path(path)
    try:
        there, ordinary = file.exists(), file.is_file()
        empty = ordinary and file.stat().st_size == 0
    except (OSError, ValueError) as error:
        raise VideoError(path, reason="unreadable", detail=str(error)) from error
    if not there:
        raise VideoError(path, reason="missing")
    if not ordinary or empty:
        what = "it holds no bytes" if empty else "it is not an ordinary file"
        raise VideoError(path, reason="unreadable", detail=what)


def open_container(path: str | Path) -> InputContainer:
    """Opens a file by its plain name, whatever that name looks like.

    Raises:
        VideoError: ``missing`` or ``unreadable``.
    """
    check_is_file(path)
    try:
        return av.open(f"file:{path}", container_options=SAFE_OPTIONS, metadata_errors="replace")
    except FAILURES as error:
        detail = plain(error)
        if isinstance(error, av.ArgumentError):
            detail = "it is a playlist or a format that is not opened here"
        raise VideoError(path, reason="unreadable", detail=detail) from error


def first_video_stream(container: InputContainer, path: str | Path, skip: int = 0) -> VideoStream:
    """The first video stream that is not a cover picture.

    The first, not FFmpeg's "best" (the largest), because OpenCV can take no other.

    Args:
        container: of a video.
        path: its name, for errors.
        skip: how many of them are passed over.

    Raises:
        VideoError: ``no_video_stream``; ``unreadable`` where PyAV has no decoder for it; ``too_large`` where
            its pictures have more than ``MOST_PIXELS``.
    """
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if skip:
            skip -= 1
            continue
        # PyAV's types do not say so, but a stream of an unknown codec has no context.
        if getattr(stream, "codec_context", None) is None:
            raise VideoError(path, reason="unreadable", detail="there is no decoder for its codec")
        check_size(path, stream.codec_context.height, stream.codec_context.width)
        return stream
    raise VideoError(path, reason="no_video_stream")


def check_size(path: str | Path, height: int, width: int) -> None:
    """Refuses pictures of which one would take more memory than a video may.

    Raises:
        VideoError: ``too_large``.
    """
    if height * width > MOST_PIXELS:
        raise VideoError(
            path,
            reason="too_large",
            detail=f"{width} x {height} pixels are more than {MOST_PIXELS:,}",
        )


class Opening:
    """A video whose first picture is decoded.

    Where the first video stream gives none, as where a broadcast pauses, the next that does is taken.

    Args:
        path: a file.
        open: opens it, where it is no file.

    Attributes:
        container, stream: of FFmpeg.
        header: what the container claims of the stream.
        first: the first decoded frame, and
        rest: those after it; any of ``FAILURES`` where the decoder gives up.
        late_ticks: how late ``rest`` and ``first`` are by their decoding times.
        skipped: how many streams gave no picture.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, ``too_large``, or ``empty``.
    """

    def __init__(self, path: str | Path, open: Callable[[], InputContainer] | None = None) -> None:
        self._path, self.skipped = path, 0
        open = open or partial(open_container, path)
        empty: VideoError | None = None
        while True:
            try:
                self.container = open()
            except VideoError as error:  # standard input is there once
                raise empty or error from None
            try:
                self._begin()
            except VideoError as error:
                self.container.close()
                if error.reason != "empty":
                    raise empty or error from None
                empty, self.skipped = empty or error, self.skipped + 1
            else:
                return

    def _begin(self) -> None:
        self.stream = first_video_stream(self.container, self._path, self.skipped)
        self.header = read_header(self.container, self.stream)
        context = self.stream.codec_context
        # One process per core decodes; measured here, threads inside the decoder cost 20 % more CPU time.
        context.thread_count = 1
        context.options = {"max_pixels": str(MOST_PIXELS)}
        self._key_ticks: int | None = None
        self.rest = self._decode()
        try:
            self.first = next(self.rest)
        except StopIteration:
            raise VideoError(self._path, reason="empty", detail="the stream ends at once") from None
        except FAILURES as error:
            raise VideoError(self._path, reason="empty", detail=plain(error)) from error
        # A decoder that waits for later frames gives the first with the time of one of them.
        first, key = self.first.dts, self._key_ticks
        self.late_ticks = 0 if first is None or key is None else max(0, first - key)

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self.container.demux(self.stream):
            if self._key_ticks is None and packet.is_keyframe:
                self._key_ticks = packet.dts
            yield from packet.decode()

    def turn(self) -> tuple[int, bool]:
        """How its frames are brought upright; see :func:`~vidlstm.video.fitting.turn_of`."""
        matrix: Any = self.first.side_data.get("DISPLAYMATRIX")
        return turn_of(None if matrix is None else bytes(matrix))


def read_header(container: InputContainer, stream: VideoStream) -> Header:
    """Collects the claims. The rate is the average one, else the one guessed from the first packets."""
    base = stream.time_base or Fraction(1, av.time_base)
    rate = stream.average_rate or stream.guessed_rate
    duration = end = None
    if stream.duration:
        duration = float(stream.duration * base)
        end = float(((stream.start_time or 0) + stream.duration) * base)
    elif container.duration and len(container.streams) == 1:
        # Where only the file gives one, as in Matroska, it counts from zero, and covers any sound as well.
        duration = end = container.duration / av.time_base
    return Header(
        frames=stream.frames or None,
        fps=float(rate) if rate else None,
        duration_seconds=duration,
        end_seconds=end,
        start_ticks=stream.start_time,
        time_base=base,
        index=container.streams.video.index(stream),
        codec=stream.codec_context.codec.canonical_name,
    )


def plain(error: BaseException) -> str:
    """An error of FFmpeg or Python in its own words, without numbers and class names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
