"""``open_video``: one door to files, folders of images, arrays, cameras and streams."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vidlstm.errors import VideoError
from vidlstm.video.arrays import ArrayReader
from vidlstm.video.base import VideoReader
from vidlstm.video.container import check_is_file
from vidlstm.video.images import ImagesReader
from vidlstm.video.live import LiveReader
from vidlstm.video.network import NetworkReader
from vidlstm.video.opencv import OpenCVReader
from vidlstm.video.pyav import PyAVReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.structures import FrameSize

__all__ = ["READERS", "VideoReader", "open_video"]

READERS: dict[str, type[PyAVReader] | type[OpenCVReader]] = {"pyav": PyAVReader, "opencv": OpenCVReader}
"""The decoders of files by name. ``auto`` tries them in this order."""

STANDARD_INPUT = "-"
"""What standard input is called in place of an address."""
PICTURE = "it is one picture; give a video, or a folder of pictures"
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
"""How files of pictures begin: PNG, JPEG, TIFF and BMP; of WebP see below."""

_ADDRESS = re.compile(r"(rtsps?|rtmps?|rtp|srt|udp|tcp|https?)://", re.IGNORECASE)


def open_video(
    path: str | Path | int | np.ndarray,
    *,
    decoder: Literal["auto", "pyav", "opencv"] = "auto",
    size: FrameSize | None = None,
    wanted: Callable[[float], bool] | None = None,
    image_fps: float = 25.0,
    newest: bool = True,
    timeout_seconds: float = 10.0,
    picture_side: int | None = None,
) -> VideoReader:
    """Opens a video to be read once, front to back.

    >>> with open_video("clip.mp4", wanted=SteadySampler(10)) as video:  # doctest: +SKIP
    ...     for frame in video:
    ...         print(frame.timestamp_seconds, frame.image.shape)
    ...     print(video.info.decoder, video.decoded_frames, video.truncated)

    Args:
        path: a file, or a folder of frame images. Opened by its plain name: no name is taken for an address
            or a pattern, and a playlist that would open other files is refused. A number is a camera; a
            string that begins with a scheme and two slashes (``rtsp://``, ``http://``) is a stream, ``-`` is
            standard input, an array RGB uint8 ``(T, H, W, 3)`` a video in memory. Of cameras
            and streams the newest frame is given, and what was missed is counted: see
            :class:`~vidlstm.video.live.LiveReader`.
        decoder: ``auto`` takes PyAV, and OpenCV where PyAV cannot open the file or decodes nothing.
            Cameras always come through OpenCV, folders of images through neither.
        size: scale frames to this while converting; without it, they keep their own, or that of the first.
        wanted: asked for each decoded frame, with its time in seconds, before any conversion; frames that
            are not wanted are not given out.
        image_fps: the rate of a folder of images and of an array, which have no clock of their own.
        newest: of a camera or stream give the newest frame; else every frame, however old.
        timeout_seconds: a camera or stream that gives nothing for so long has broken off.
        picture_side: frames also carry a picture for people, whole and no longer than this on any side, in
            pixels.

    Returns:
        A reader that has decoded its first frame already: what opens, has a picture.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, ``too_large``, or ``empty``, with each
            decoder's words.
        ValueError: for an unknown decoder, or PyAV asked of a camera.
    """
    if decoder not in ("auto", *READERS):
        raise ValueError(f"decoder must be one of {('auto', *READERS)}, not {decoder!r}")
    waits = newest and not isinstance(path, np.ndarray) and is_live(path)
    reader = _reader(path, decoder, size, None if waits else wanted, image_fps, timeout_seconds)
    reader.picture_side = picture_side
    return LiveReader(reader, wanted=wanted, timeout_seconds=timeout_seconds) if waits else reader


def _reader(
    path: str | Path | int | np.ndarray,
    decoder: str,
    size: FrameSize | None,
    wanted: Callable[[float], bool] | None,
    image_fps: float,
    timeout_seconds: float,
) -> VideoReader:
    """What reads every frame, in order."""
    if isinstance(path, np.ndarray):
        return ArrayReader(path, fps=image_fps, size=size, wanted=wanted)
    if isinstance(path, int) or (isinstance(path, str) and is_live(path)):
        return _in_order(path, decoder, size, wanted, timeout_seconds)
    if Path(path).is_dir():
        return ImagesReader(path, fps=image_fps, size=size, wanted=wanted)
    if decoder != "auto":
        return READERS[decoder](path, size=size, wanted=wanted)
    return _first_that_can(path, size, wanted)


def is_live(path: object) -> bool:
    """Whether this is a camera's number, an address or standard input, not a file."""
    return isinstance(path, int) or (
        isinstance(path, str) and (path == STANDARD_INPUT or bool(_ADDRESS.match(path)))
    )


def _in_order(
    path: int | str,
    decoder: str,
    size: FrameSize | None,
    wanted: Callable[[float], bool] | None,
    timeout_seconds: float,
) -> VideoReader:
    """What reads a camera or a stream frame after frame."""
    if isinstance(path, int) and decoder == "pyav":
        raise ValueError(f"camera {path}: cameras are read by OpenCV; leave decoder at 'auto'")
    if isinstance(path, int) or decoder == "opencv":
        return OpenCVReader(path, size=size, wanted=wanted, live=True)
    return NetworkReader(path, size=size, wanted=wanted, timeout_seconds=timeout_seconds)


def _first_that_can(
    path: str | Path, size: FrameSize | None, wanted: Callable[[float], bool] | None
) -> VideoReader:
    check_is_file(path)
    failures: dict[str, VideoError] = {}
    for name, reader in READERS.items():
        try:
            return reader(path, size=size, wanted=wanted)
        except VideoError as error:
            if error.reason in ("no_video_stream", "too_large"):
                raise
            failures[name] = error
    if _is_picture(path):
        raise VideoError(path, reason="unreadable", detail=PICTURE)
    words = "; ".join(f"{name}: {error.detail or error.reason}" for name, error in failures.items())
    first = next(iter(failures.values()))
    raise VideoError(path, reason=first.reason, detail=words) from first


def _is_picture(path: str | Path) -> bool:
    with Path(path).open("rb") as file:
        start = file.read(12)
    return start.startswith(_PICTURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
