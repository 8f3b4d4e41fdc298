"""Colours as RGB, 0 to 255."""

from __future__ import annotations

import cv2
import numpy as np

Colour = tuple[int, int, int]


def brightness(colour: Colour) -> float:
    """Luma of an RGB colour, 0 to 255 (Rec. 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def from_hsv(hue: int, saturation: int, value: int) -> Colour:
    """RGB of OpenCV's hue (0 to 179), saturation and value (0 to 255)."""
    r, g, b = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(r), int(g), int(b)


def darkened(colour: Colour, factor: float) -> Colour:
    """The colour times a factor below 1."""
    return int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor)


DARKEST_WALL = 155.0
"""The least brightness of a wall; clothes keep below it."""
