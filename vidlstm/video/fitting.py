"""How a picture is brought to a wanted size: pure arithmetic on sizes, and the last cut or padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vidlstm.structures import FrameSize

GREY = 114
"""What ``letterbox`` pads with; the grey YOLO networks were trained with."""


def scaled_size(height: int, width: int, size: FrameSize) -> tuple[int, int]:
    """The (height, width) a picture is scaled to before it is cut or padded to ``size``.

    ``squash`` scales to ``size`` itself, ``crop`` to the smallest picture that covers it, ``letterbox`` to
    the largest that fits in it; both keep the aspect ratio to within half a pixel::

        100x200 to 50x50:   squash 50x50   crop 50x100   letterbox 25x50
    """
    if size.fit == "squash":
        return size.height, size.width
    tall = size.height * width >= size.width * height  # the height decides when it has to cover
    if tall == (size.fit == "crop"):
        return size.height, max(1, _rounded(width * size.height, height))
    return max(1, _rounded(height * size.width, width)), size.width


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def placed(image: np.ndarray, size: FrameSize) -> np.ndarray:
    """Cuts the middle out of a scaled picture, or pads it with grey, to exactly ``size``; contiguous."""
    height, width = image.shape[:2]
    if (height, width) == (size.height, size.width):
        return np.ascontiguousarray(image)
    if height >= size.height and width >= size.width:
        top, left = (height - size.height) // 2, (width - size.width) // 2
        return np.ascontiguousarray(image[top : top + size.height, left : left + size.width])
    top, left = (size.height - height) // 2, (size.width - width) // 2
    canvas = np.full((size.height, size.width, 3), GREY, np.uint8)
    canvas[top : top + height, left : left + width] = image
    return canvas
