"""Lines, boxes and labels on frames, sized by the frame so that they look alike on every video."""

from __future__ import annotations

import cv2
import numpy as np

from vidlstm.render.draw.lettering import draw_text, text_width
from vidlstm.render.palette import Colour, class_colours, ink_on

_COLOURS = class_colours(36)
_FINE = 3
"""Fractional bits of coordinates handed to OpenCV: lines move by eighths of a pixel, not in jumps."""

Plate = tuple[int, int, int, int]
"""Left, top, right and bottom of a tag, pixels."""


def colour_of_track(track_id: int) -> Colour:
    """The same colour for the same object in every frame and video."""
    return _COLOURS[track_id % len(_COLOURS)]


def tag_size(height: int) -> int:
    """Of the letters at boxes, on a frame of ``height`` pixels."""
    return max(10, round(height / 42))


def tag_height(height: int) -> int:
    """Of a tag's plate, on a frame of ``height`` pixels."""
    return round(tag_size(height) * 1.35)


def stroke_width(height: int) -> int:
    """Of lines on a frame of ``height`` pixels."""
    return max(1, round(height / 360))


def draw_line(
    image: np.ndarray, points_Q2: np.ndarray, colour: Colour, width: int, *, closed: bool = False
) -> None:
    """A line through points ``(Q, 2)``, in place; points that are not finite are left out."""
    points_Q2 = points_Q2[np.isfinite(points_Q2).all(1)]
    if len(points_Q2) > 1:
        cv2.polylines(image, [_fixed(points_Q2)], closed, colour, width, cv2.LINE_AA, _FINE)


def draw_dashes(image: np.ndarray, points_Q2: np.ndarray, colour: Colour, width: int) -> None:
    """Every other half step of a path, in place."""
    middles = (points_Q2[1:] + points_Q2[:-1]) / 2
    for start, end in zip(points_Q2[:-1], middles, strict=True):
        draw_line(image, np.stack([start, end]), colour, width)


def fill(image: np.ndarray, points_Q2: np.ndarray, colour: Colour, strength: float) -> None:
    """Tints the inside of a convex outline, in place.

    Args:
        image: RGB uint8.
        points_Q2: the outline.
        colour: RGB.
        strength: 0 leaves the picture, 1 hides it.
    """
    height, width = image.shape[:2]
    low = np.floor(points_Q2.min(0)).clip(0, [width, height]).astype(int)
    high = np.ceil(points_Q2.max(0) + 1).clip(0, [width, height]).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    if part.size:
        tinted = np.ascontiguousarray(part)
        cv2.fillConvexPoly(tinted, _fixed(points_Q2 - low), colour, cv2.LINE_AA, _FINE)
        part[:] = cv2.addWeighted(tinted, strength, np.ascontiguousarray(part), 1 - strength, 0)


def draw_box(image: np.ndarray, box_4: np.ndarray, colour: Colour, width: int) -> None:
    """The outline of x1, y1, x2, y2, in place."""
    x1, y1, x2, y2 = box_4
    draw_line(image, np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), colour, width, closed=True)


def draw_tag(image: np.ndarray, text: str, left: float, bottom: float, colour: Colour) -> None:
    """Letters on a plate that stands on a box, or hangs into it where the frame ends; in place."""
    draw_plate(image, text, plate_of(image, text, left, bottom), colour)


def plate_of(image: np.ndarray, text: str, left: float, bottom: float) -> Plate:
    """Where the plate of a text lies that is to end at a row; moved into the frame."""
    size, height = tag_size(image.shape[0]), tag_height(image.shape[0])
    width = text_width(text, size) + size // 2
    x = int(min(max(0, left), max(0, image.shape[1] - width)))
    y = int(min(max(0, bottom - height), max(0, image.shape[0] - height)))
    return x, y, x + width, y + height


def draw_plate(image: np.ndarray, text: str, plate: Plate, colour: Colour) -> None:
    """A plate with letters, in place."""
    left, top, right, bottom = plate
    size = tag_size(image.shape[0])
    image[top:bottom, left:right] = colour
    middle = (top + bottom) // 2
    draw_text(image, text, left + size // 4, middle, size=size, colour=ink_on(colour))


def _fixed(points_Q2: np.ndarray) -> np.ndarray:
    # Far outside the frame OpenCV's whole numbers would overflow.
    fixed: np.ndarray = np.rint(np.clip(points_Q2, -1e5, 1e5) * (1 << _FINE)).astype(np.int32)
    return fixed
