"""A camera that pans and zooms over the photographs of the ultralytics package: real people, known motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.video.writer import VideoWriter


def photograph(name: str) -> np.ndarray | None:
    """``bus`` or ``zidane``, RGB; None where the installed package carries none."""
    path = Path(str(ultralytics_module("ultralytics").__file__)).parent / "assets" / f"{name}.jpg"
    image = cv2.imread(str(path)) if path.is_file() else None
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


@dataclass(frozen=True)
class Camera:
    """Where a point of the photograph is seen at a time.

    Attributes:
        left, top: of the photograph in the first frame, pixels.
        pan: pixels a second that it moves, x and y.
        zoom: how large it is at first, and
        zoom_rate: by what factor it grows in a second.
        size: height and width of the video.
    """

    left: float
    top: float
    pan: tuple[float, float]
    zoom: float
    zoom_rate: float = 1.0
    size: tuple[int, int] = (480, 640)

    def matrix(self, seconds: float) -> np.ndarray:
        """``(2, 3)``: a point (x, y, 1) of the photograph to pixels; it grows around the middle."""
        grown = self.zoom_rate**seconds
        middle = np.array(self.size[::-1]) / 2
        start = np.array([self.left, self.top])
        moved = (start - middle) * grown + middle + np.array(self.pan) * seconds
        return np.array([[self.zoom * grown, 0, moved[0]], [0, self.zoom * grown, moved[1]]])

    def boxes(self, boxes_N4: np.ndarray, before: float, after: float) -> np.ndarray:
        """Boxes seen at one time, where they are at another."""
        (a, _, x), (_, _, y) = self.matrix(before)
        corners = (boxes_N4.reshape(-1, 2) - [x, y]) / a
        (a, _, x), (_, _, y) = self.matrix(after)
        moved: np.ndarray = (corners * a + [x, y]).reshape(-1, 4)
        return moved


def film(path: Path, image: np.ndarray, camera: Camera, *, frames: int, fps: float) -> Path:
    """Writes what the camera sees; around the photograph all is grey."""
    height, width = camera.size
    with VideoWriter(path, fps=fps, height=height, width=width, quality=12) as writer:
        for index in range(frames):
            matrix = camera.matrix(index / fps)
            seen = cv2.warpAffine(
                image, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=(114, 114, 114)
            )
            writer.write(seen, index / fps)
    return path
