"""The third reader: a folder of frame images, in the order a person would count them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
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

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
"""What counts as an image, by the end of its name in either case. Other files are passed over."""


def image_files(folder: str | Path) -> list[Path]:
    """The images of a folder in natural order: img2 before img10. Hidden files are passed over."""
    files = (f for f in Path(folder).iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    return sorted((f for f in files if f.is_file()), key=_natural)


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"([0-9]+)|([^0-9]+)", file.name)
    return [(0, int(digits), "") if digits else (1, 0, text) for digits, text in parts], file.name


class ImagesReader(VideoReader):
    """Reads a folder of images as a video: frame ``i`` is at ``i / fps`` seconds.

    Raises:
        VideoError: ``unreadable``, when opened or later: no image there, one that cannot be decoded, or
            one of another size than the first where no ``size`` was asked for.
        ValueError: for a rate that is not positive.
    """

    def __init__(
        self, folder: str | Path, *, fps: float, size: FrameSize | None = None, wanted: Wanted | None = None
    ) -> None:
        if not fps > 0:
            raise ValueError(f"image_fps must be positive, not {fps}")
        self._folder, self._size, self._fps = Path(folder), size, fps
        try:
            self._files = image_files(folder)
        except OSError as error:
            raise VideoError(folder, reason="unreadable", detail=str(error)) from error
        if not self._files:
            raise VideoError(
                folder, reason="unreadable", detail=f"the folder holds no image ({', '.join(SUFFIXES)})"
            )
        self._shape = _shape(self._load(0))
        super().__init__(self._info(), wanted=wanted)

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

    def _image(self, index: int) -> np.ndarray:
        image = self._load(index)
        if self._size is None:
            if _shape(image) != self._shape:
                first, here = "x".join(map(str, self._shape)), "x".join(map(str, _shape(image)))
                raise self._error(index, f"is {here}, the first is {first}; ask for a size to mix them")
            return finished(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), 0, None)
        scaled = resized(image, *scaled_size(*_shape(image), self._size))
        return finished(cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB), 0, self._size)

    def _load(self, index: int) -> np.ndarray:
        """BGR, turned upright by the image's own EXIF tag."""
        try:
            data = np.fromfile(self._files[index], np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except (OSError, cv2.error) as error:
            raise self._error(index, f"cannot be read: {error}") from error
        if image is None:
            raise self._error(index, "cannot be decoded")
        return image

    def _error(self, index: int, what: str) -> VideoError:
        return VideoError(
            self._folder, reason="unreadable", detail=f"{self._files[index].name} {what}", frame=index
        )

    def close(self) -> None:  # noqa: D102 as in VideoReader
        pass


def _shape(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
