"""The fourth reader: frames that are in memory already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.errors import VideoError
from vidlstm.structures import VideoInfo
from vidlstm.video.base import VideoReader
from vidlstm.video.fitting import finished, scaled_size
from vidlstm.video.opencv import resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted

NAME = "frames in memory"
"""What such a video is called where a file would be named by its path."""


class ArrayReader(VideoReader):
    """Reads frames from memory as a video: frame ``i`` is at ``i / fps`` seconds.

    Args:
        frames_THWC: RGB uint8 ``(T, H, W, 3)``, upright.
        fps: their rate.
        size, wanted: see :func:`~vidlstm.video.reader.open_video`.

    Raises:
        ValueError: the array is of another kind, or the rate is not positive.
        VideoError: ``empty``, when there is no frame.
    """

    def __init__(
        self,
        frames_THWC: np.ndarray,
        *,
        fps: float,
        size: FrameSize | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        if frames_THWC.dtype != np.uint8 or frames_THWC.ndim != 4 or frames_THWC.shape[3] != 3:
            raise ValueError(
                f"frames are RGB uint8 (T, H, W, 3), not {frames_THWC.dtype} {frames_THWC.shape}"
            )
        if not fps > 0:
            raise ValueError(f"fps must be positive, not {fps}")
        if not frames_THWC.size:
            raise VideoError(NAME, reason="empty")
        self._frames_THWC, self._fps, self._size = frames_THWC, fps, size
        count, height, width = frames_THWC.shape[:3]
        info = VideoInfo(
            path=NAME,
            height=height,
            width=width,
            claimed_frames=count,
            claimed_fps=fps,
            claimed_duration_seconds=count / fps,
            codec="array",
            decoder="array",
        )
        super().__init__(info, wanted=wanted)

    def _pictures(self) -> Iterator[Picture]:
        for index, image in enumerate(self._frames_THWC):
            yield index / self._fps, partial(self._image, image)

    def _image(self, image: np.ndarray, other: FrameSize | None = None) -> np.ndarray:
        size = other or self._size
        if size is None:
            return np.ascontiguousarray(image)
        height, width = scaled_size(image.shape[0], image.shape[1], size)
        return finished(resized(np.ascontiguousarray(image), height, width), 0, size)

    def close(self) -> None:  # noqa: D102 as in VideoReader
        pass
