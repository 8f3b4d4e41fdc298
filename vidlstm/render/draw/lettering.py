"""Letters on numpy images. OpenCV draws ASCII alone; Pillow draws and shapes them in any font."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidlstm.render.fonts import fonts_for, has
from vidlstm.render.palette import Colour
from vidlstm.render.words import ELLIPSIS, one_line

if TYPE_CHECKING:
    from pathlib import Path


@lru_cache(maxsize=64)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


@lru_cache(maxsize=4096)
def _pieces(text: str, bold: bool) -> tuple[tuple[str, Path], ...]:
    """The text cut where another font goes on; one piece wherever one font has all of it."""
    fonts = fonts_for(text, bold=bold)
    whole = [font for font in fonts if all(has(font, c) for c in text)]
    if whole or len(fonts) == 1:
        return ((text, (whole or fonts)[0]),)
    pieces: list[tuple[str, Path]] = []
    for letter in text:
        before = [pieces[-1][1]] if pieces else []
        font = next((f for f in [*before, *fonts] if has(f, letter)), fonts[0])
        if before == [font]:
            pieces[-1] = pieces[-1][0] + letter, font
        else:
            pieces.append((letter, font))
    return tuple(pieces)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """How wide the text is, pixels."""
    pieces = _pieces(one_line(text), bold)
    return int(np.ceil(sum(_font(path, size).getlength(piece) for piece, path in pieces)))


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
    fonts = [(piece, _font(path, size)) for piece, path in _pieces(text, bold)]
    ascent, descent = np.max([font.getmetrics() for _, font in fonts], axis=0).tolist()
    image = Image.new("L", (max(1, text_width(text, size, bold=bold) + 2), ascent + descent))
    left = 0.0
    for piece, font in fonts:
        ImageDraw.Draw(image).text((left, ascent), piece, fill=255, font=font, anchor="ls")
        left += font.getlength(piece)
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
    halo: Colour | None = None,
) -> None:
    """Writes one line onto ``image``, RGB uint8 ``(H, W, 3)``, in place; what lies outside is cut off.

    Args:
        image: the picture.
        text: any characters; those that no font of this machine has become boxes.
        left, middle: pixels; ``left`` is the right end, or the centre, where ``align`` says so.
        size: of the font, pixels.
        colour: RGB.
        width: longer texts are elided to it, pixels.
        bold: the bold face.
        align: ``left``, ``centre`` or ``right``.
        halo: RGB of an outline, which sets the letters off from a ground of several colours.
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
    if halo is not None and mask.size:
        around = cv2.dilate(mask, np.ones((3, 3), np.uint8))[..., None]
        place[:] = (place + (np.array(halo, np.float32) - place) * around + 0.5).astype(np.uint8)
    place[:] = (place + (np.array(colour, np.float32) - place) * mask + 0.5).astype(np.uint8)
