"""Opening a media file and nothing else: no network, no playlist, no second file; and reading its header.

Both readers start here, so that both take the same stream and believe the same claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition

from vidlstm.errors import VideoError

if TYPE_CHECKING:
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


def first_video_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The first video stream that is not a cover picture.

    The first, not FFmpeg's "best" (the largest), because OpenCV can take no other.

    Raises:
        VideoError: ``no_video_stream``, or ``unreadable`` where PyAV has no decoder for it.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            # PyAV's types do not say so, but a stream of an unknown codec has no context.
            if getattr(stream, "codec_context", None) is None:
                raise VideoError(path, reason="unreadable", detail="there is no decoder for its codec")
            return stream
    raise VideoError(path, reason="no_video_stream")


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
