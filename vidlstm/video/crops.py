"""Cutting one object out of a frame and bringing it to a network's size."""

from __future__ import annotations

import math
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
        box: x1, y1, x2, y2 in pixels; cut off at the frame's edges, the nearest pixels where it is outside.
        margin: added on every side, as a share of the longer one; grey where that is outside the frame.
        size: squash scales both sides freely; letterbox pads; crop keeps a window of the middle.

    Returns:
        uint8 ``(size.height, size.width, C)``.
    """
    height, width = image_HWC.shape[:2]
    # A table from elsewhere may hold boxes of any size, and anywhere.
    edges = [width - 1, height - 1, width, height]
    x1, y1, x2, y2 = np.clip(np.asarray(box, np.float64), 0, edges).tolist()
    around = margin * max(x2 - x1, y2 - y1, 0.0)
    columns, rows = _whole(x1 - around, x2 + around), _whole(y1 - around, y2 + around)
    scaled = size.height, size.width
    if size.fit == "crop":
        columns, rows = (
            _middle(columns, len(rows) * size.width / size.height),
            _middle(rows, len(columns) * size.height / size.width),
        )
    elif size.fit == "letterbox":
        scaled = scaled_size(len(rows), len(columns), size)
    # What lies outside is never held: a margin may be many frames wide.
    from_y, to_y = _seen(rows, height, scaled[0], size.height)
    from_x, to_x = _seen(columns, width, scaled[1], size.width)
    canvas = np.full((size.height, size.width, image_HWC.shape[2]), GREY, np.uint8)
    if to_y and to_x:
        for channel in range(0, image_HWC.shape[2], 3):  # OpenCV averages four channels at most
            part = image_HWC[from_y.start : from_y.stop, from_x.start : from_x.stop, channel : channel + 3]
            shown = np.atleast_3d(resized(part, len(to_y), len(to_x)))
            canvas[to_y.start : to_y.stop, to_x.start : to_x.stop, channel : channel + 3] = shown
    return canvas


def _whole(low: float, high: float) -> range:
    """Whole pixels, at least one."""
    first = math.floor(low)
    return range(first, max(first + 1, math.ceil(high)))


def _middle(pixels: range, most: float) -> range:
    """The middle of a row of pixels, no longer than ``most``, but at least one."""
    spare = max(0, len(pixels) - max(1, round(most)))
    return pixels[spare // 2 : len(pixels) - (spare - spare // 2)]


def _seen(pixels: range, limit: int, length: int, room: int) -> tuple[range, range]:
    """Which of a row of pixels are within a picture, and where they come to lie.

    Args:
        pixels: of the picture's rows, or of its columns.
        limit: how many the picture has.
        length: how many pixels ``pixels`` are scaled to, in the middle of
        room: so many.
    """
    first, last = max(0, pixels.start), min(limit, pixels.stop)
    start, scale = (room - length) // 2, length / (pixels.stop - pixels.start)
    places = [start + round((edge - pixels.start) * scale) for edge in (first, last)]
    return range(first, last), range(*places)
