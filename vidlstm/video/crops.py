"""Cutting one object out of a frame and bringing it to a network's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vidlstm.video.fitting import GREY, scaled_size
from vidlstm.video.opencv import resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import FrameSize


def cut(image_HWC: np.ndarray, box: Sequence[float], margin: float, size: FrameSize) -> np.ndarray:
    """An object and a little around it, at a wanted size.

    Args:
        image_HWC: uint8, any number of channels.
        box: x1, y1, x2, y2 in pixels; cut off at the frame's edges.
        margin: added on every side, as a share of the longer one; grey where that is outside the frame.
        size: squash scales both sides freely; letterbox pads; crop keeps a window of the middle.

    Returns:
        uint8 ``(size.height, size.width, C)``.
    """
    height, width = image_HWC.shape[:2]
    # A table from elsewhere may hold boxes of any size.
    x1, y1, x2, y2 = np.clip(np.asarray(box, np.float64), 0, [width, height, width, height]).tolist()
    around = margin * max(x2 - x1, y2 - y1)
    left, top = int(np.floor(x1 - around)), int(np.floor(y1 - around))
    right, bottom = max(left + 1, int(np.ceil(x2 + around))), max(top + 1, int(np.ceil(y2 + around)))
    picture = _window(image_HWC, top, left, bottom - top, right - left)
    height, width = scaled_size(bottom - top, right - left, size)
    scaled = np.atleast_3d(resized(picture, height, width))
    if (height, width) == (size.height, size.width):
        return np.ascontiguousarray(scaled)
    return _window(scaled, (height - size.height) // 2, (width - size.width) // 2, size.height, size.width)


def _window(image_HWC: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """A part of a picture, grey where it lies outside."""
    canvas = np.full((height, width, image_HWC.shape[2]), GREY, np.uint8)
    y1, y2 = max(0, top), min(image_HWC.shape[0], top + height)
    x1, x2 = max(0, left), min(image_HWC.shape[1], left + width)
    if y2 > y1 and x2 > x1:
        canvas[y1 - top : y2 - top, x1 - left : x2 - left] = image_HWC[y1:y2, x1:x2]
    return canvas
