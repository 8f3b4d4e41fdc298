"""How a picture is brought upright and to a wanted size: arithmetic on sizes, and the last cut or padding."""

from __future__ import annotations

import math

import numpy as np

from vidlstm.structures import FrameSize

GREY = 114
"""What ``letterbox`` pads with: the grey that YOLO networks were trained with."""


def scaled_size(height: int, width: int, size: FrameSize) -> tuple[int, int]:
    """The (height, width) a picture is scaled to before it is cut or padded to ``size``.

    ``squash`` scales to ``size`` itself, ``crop`` to the smallest picture that covers it, ``letterbox`` to
    the largest that fits in it; both keep the aspect ratio to within half a pixel::

        100x200 to 50x50:   squash 50x50   crop 50x100   letterbox 25x50
    """
    if size.fit == "squash":
        return size.height, size.width
    narrower = width * size.height < height * size.width  # than the wanted size
    if narrower == (size.fit == "crop"):
        return max(1, _divided(height * size.width, width)), size.width
    return size.height, max(1, _divided(width * size.height, height))


def within(height: int, width: int, side: int) -> FrameSize:
    """The size of a picture that is shrunk until no side is longer than ``side`` pixels."""
    scale = min(1.0, side / max(height, width, 1))
    return FrameSize(max(1, round(height * scale)), max(1, round(width * scale)))


def _divided(numerator: int, denominator: int) -> int:
    """Rounded to the nearest, halves up, without floating point."""
    return (2 * numerator + denominator) // (2 * denominator)


def coded_size(shape: tuple[int, int], quarters: int) -> tuple[int, int]:
    """The upright (height, width) ``shape`` as it lies in the file, or back."""
    return (shape[1], shape[0]) if quarters % 2 else shape


def turn_of(matrix: bytes | None) -> tuple[int, bool]:
    """How a picture is brought upright that comes with a display matrix.

    Args:
        matrix: nine int32, as in the header of an MP4 track: where the axes of the picture go on the screen
            are the first two of its first two rows. None: as it lies.

    Returns:
        By how many quarters it is turned counter-clockwise, and whether it is mirrored left to right before.
    """
    if matrix is None or len(matrix) < 36:
        return 0, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).astype(np.float64).tolist()
    mirrored = a * d < b * c
    along, down = (-a, -b) if mirrored else (a, b)
    scale = np.hypot(a, c) or 1.0, np.hypot(b, d) or 1.0
    return round(-math.atan2(down / scale[1], along / scale[0]) / (math.pi / 2)) % 4, mirrored


def finished(
    image: np.ndarray, quarters: int, size: FrameSize | None, *, mirrored: bool = False
) -> np.ndarray:
    """Brings a scaled picture upright, see :func:`turn_of`, then cuts or pads it to ``size``; contiguous.

    An odd row or column more is cut from the end, or padded at the end.
    """
    upright = np.rot90(image[:, ::-1] if mirrored else image, quarters)
    height, width = upright.shape[:2]
    if size is None or (height, width) == (size.height, size.width):
        return np.ascontiguousarray(upright)
    if height >= size.height and width >= size.width:
        top, left = (height - size.height) // 2, (width - size.width) // 2
        return np.ascontiguousarray(upright[top : top + size.height, left : left + size.width])
    top, left = (size.height - height) // 2, (size.width - width) // 2
    canvas = np.full((size.height, size.width, 3), GREY, np.uint8)
    canvas[top : top + height, left : left + width] = upright
    return canvas
