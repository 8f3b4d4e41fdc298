"""Letters on numpy images. OpenCV draws ASCII alone; Pillow draws the font that matplotlib brings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidlstm.render.palette import Colour
from vidlstm.render.words import ELLIPSIS, one_line


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """How wide the text is, pixels."""
    return int(np.ceil(_font(size, bold).getlength(one_line(text))))


@lru_cache(maxsize=4096)
def elide(text: str, size: int, width: int, *, bold: bool = False) -> str:
    """The text on one line, its end cut off where it is wider than ``width`` pixels."""
    text = one_line(text)
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)  # the longest head that fits: halving, for labels may be very long
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_width(text[:middle].rstrip() + ELLIPSIS, size, bold=bold) <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + ELLIPSIS if low else ""


@lru_cache(maxsize=1024)
def _mask(text: str, size: int, bold: bool) -> np.ndarray:
    """How much of each pixel the letters cover, 0 to 1 ``(h, w, 1)``, from the ascender to the descender."""
    font = _font(size, bold)
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(1, text_width(text, size, bold=bold) + 2), ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, np.float32)[..., None] / 255.0


def draw_text(
    image: np.ndarray,
    text: str,
    left: int,
    middle: int,
    *,
    size: int,
    colour: Colour,
    width: int | None = None,
    bold: bool = False,
    align: str = "left",
) -> None:
    """Writes one line onto ``image``, RGB uint8 ``(H, W, 3)``, in place; what lies outside is cut off.

    Args:
        image: the picture.
        text: any characters; those that the font lacks become boxes.
        left, middle: pixels; ``left`` is the right end, or the centre, where ``align`` says so.
        size: of the font, pixels.
        colour: RGB.
        width: longer texts are elided to it, pixels.
        bold: the bold face.
        align: ``left``, ``centre`` or ``right``.
    """
    line = one_line(text) if width is None else elide(text, size, width, bold=bold)
    if not line:
        return
    mask = _mask(line, size, bold)
    left -= {"left": 0, "centre": mask.shape[1] // 2, "right": mask.shape[1]}[align]
    top = middle - mask.shape[0] // 2
    y, x = max(0, top), max(0, left)
    mask = mask[y - top :, x - left :][: max(0, image.shape[0] - y), : max(0, image.shape[1] - x)]
    place = image[y : y + mask.shape[0], x : x + mask.shape[1]]
    place[:] = (place + (np.array(colour, np.float32) - place) * mask + 0.5).astype(np.uint8)
