"""The third reader: a folder of frame images, in the order a person would count them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from vidlstm.errors import VideoError
from vidlstm.media import IMAGE_SUFFIXES, frames_in
from vidlstm.structures import VideoInfo
from vidlstm.video.base import VideoReader
from vidlstm.video.container import check_size
from vidlstm.video.fitting import finished, scaled_size
from vidlstm.video.opencv import resized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vidlstm.structures import FrameSize
    from vidlstm.video.base import Picture, Wanted


class ImagesReader(VideoReader):
    """Reads a folder of images as a video: frame ``i`` is at ``i / fps`` seconds.

    Which images are frames, and in which order, see :func:`~vidlstm.media.frames_in`. Without a ``size``,
    one of another size than the first is scaled to it, as frames of a file are.

    Raises:
        VideoError: ``unreadable``, when opened or later: no image there, several sequences of them, or one
            that cannot be decoded; ``too_large``.
        ValueError: for a rate that is not positive.
    """

    def __init__(
        self, folder: str | Path, *, fps: float, size: FrameSize | None = None, wanted: Wanted | None = None
    ) -> None:
        if not fps > 0:
            raise ValueError(f"image_fps must be positive, not {fps}")
        self._folder, self._size, self._fps = Path(folder), size, fps
        try:
            names, left_out = frames_in(self._folder)
        except OSError as error:
            raise VideoError(folder, reason="unreadable", detail=str(error)) from error
        if not names:
            endings = ", ".join(f".{suffix}" for suffix in sorted(IMAGE_SUFFIXES))
            raise VideoError(folder, reason="unreadable", detail=f"the folder holds no image ({endings})")
        self._files = [self._folder / name for name in names]
        self._shape = _shape(self._load(0))
        super().__init__(self._info(), wanted=wanted)
        if left_out:
            self._tell(f"images beside its frames are left out: {', '.join(left_out)}")

    def _info(self) -> VideoInfo:
        return VideoInfo(
            path=str(self._folder),
            height=self._shape[0],
            width=self._shape[1],
            claimed_frames=len(self._files),
            claimed_fps=self._fps,
            claimed_duration_seconds=len(self._files) / self._fps,
            codec=self._files[0].suffix.lower().lstrip("."),
            decoder="images",
        )

    def _pictures(self) -> Iterator[Picture]:
        for index in range(len(self._files)):
            yield index / self._fps, partial(self._image, index)

    def _image(self, index: int, other: FrameSize | None = None) -> np.ndarray:
        image, size = self._load(index), other or self._size
        upright = scaled_size(*_shape(image), size) if size else self._shape
        scaled = resized(image, *upright)
        return finished(cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB), 0, size)

    def _load(self, index: int) -> np.ndarray:
        """BGR, turned upright by the image's own EXIF tag."""
        self._check_size(index)
        try:
            data = np.fromfile(self._files[index], np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except (OSError, cv2.error) as error:
            raise self._error(index, f"cannot be read: {error}") from error
        if image is None:
            raise self._error(index, "cannot be decoded")
        return image

    def _check_size(self, index: int) -> None:
        """Refuses by its header alone an image that would take too much memory."""
        try:
            with Image.open(self._files[index]) as image:
                width, height = image.size
        except Image.DecompressionBombError as error:
            detail = f"{self._files[index].name}: {error}"
            raise VideoError(self._folder, reason="too_large", detail=detail, frame=index) from error
        except (OSError, ValueError, SyntaxError):  # Pillow does not know it; OpenCV may
            return
        check_size(self._files[index], height, width)

    def _error(self, index: int, what: str) -> VideoError:
        return VideoError(
            self._folder, reason="unreadable", detail=f"{self._files[index].name} {what}", frame=index
        )

    def close(self) -> None:  # noqa: D102 as in VideoReader
        pass


def _shape(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
