"""Opening a media file and nothing else: no network, no playlist, no second file.

Both readers start here, so that both take the same stream and believe the same header.
"""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidlstm.errors import VideoError
from vidlstm.structures import VideoInfo

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,av1,ivf,flv,asf,ogg,gif,"
    "mxf,nut,rm,dv,wtv,h261,h263,vc1,yuv4mpegpipe,mjpeg,gxf,swf,nsv,mp3,wav,flac,aac,ac3,eac3,aiff,w64"
)
"""Container formats that hold their own data. Playlists (hls, dash, concat, sdp), image patterns and devices
are left out: they would open other files, addresses or hardware."""

SAFE = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
"""Options for libavformat, in both readers."""

FAILURES = (av.FFmpegError, OSError, ValueError, MemoryError)
"""What PyAV raises on damaged input (a UnicodeDecodeError is a ValueError)."""


def check_is_file(path: str | Path) -> None:
    """Raises:
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
    if not ordinary:
        raise VideoError(path, reason="unreadable", detail="it is not an ordinary file")
    if empty:
        raise VideoError(path, reason="unreadable", detail="it holds no bytes")


def open_container(path: str | Path) -> InputContainer:
    """Opens a file by its plain name, whatever that name looks like.

    Raises:
        VideoError: ``missing`` or ``unreadable``.
    """
    check_is_file(path)
    try:
        return av.open(f"file:{path}", container_options=SAFE, metadata_errors="replace")
    except FAILURES as error:
        raise VideoError(path, reason="unreadable", detail=plain(error)) from error


def first_video_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The first video stream that is not a cover picture.

    The first rather than FFmpeg's "best", because OpenCV can take no other.

    Raises:
        VideoError: ``no_video_stream``, or ``unreadable`` where no decoder for it is built in.
    """
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                raise VideoError(path, reason="unreadable", detail="there is no decoder for its codec")
            return stream
    raise VideoError(path, reason="no_video_stream")


def claimed_fps(stream: VideoStream) -> float | None:
    """The average rate that the header gives, else the one guessed from the first packets."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def claimed_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of video: the stream's own claim, else the file's where it holds nothing but this stream."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def start_seconds(stream: VideoStream) -> float:
    """When the stream begins on its own clock."""
    return float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0


def describe(
    path: str | Path,
    container: InputContainer,
    stream: VideoStream,
    *,
    decoder: str,
    shape: tuple[int, int],
    turn: int,
) -> VideoInfo:
    """What the header claims, with the upright size ``shape`` (height, width) and the clockwise ``turn``."""
    return VideoInfo(
        path=str(path),
        height=shape[0],
        width=shape[1],
        claimed_frames=stream.frames or None,
        claimed_fps=claimed_fps(stream),
        claimed_duration_seconds=claimed_duration(container, stream),
        codec=stream.codec_context.codec.canonical_name,
        decoder=decoder,
        rotation_degrees=turn,
    )


def plain(error: BaseException) -> str:
    """An error of FFmpeg or Python in its own words, without numbers and class names."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
