"""A frame as people are shown it while it is watched: the picture, and under it what is said of it."""

from __future__ import annotations

from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from vidlstm.render.draw.forecast_overlay import draw_futures, draw_paths
from vidlstm.render.draw.lettering import draw_text, elide, text_width
from vidlstm.render.draw.object_overlay import tag_text
from vidlstm.render.draw.strokes import colour_of_track, draw_box, draw_tag, stroke_width
from vidlstm.render.moments import clock
from vidlstm.render.palette import UNKNOWN, Colour, colour_of, ink_on

if TYPE_CHECKING:
    from vidlstm.render.live.listener import Shot

PICTURE_SIDE = 640
"""The longer side of pictures, pixels; larger frames are shrunk to it."""
SMALLEST_SIDE = 480
"""Smaller ones are enlarged to it, or the letters under them would not fit."""
QUALITY = 80
"""Of JPEG."""
ROW = 24
"""Pixels of a row of letters; there are two."""
_PANEL: Colour = (24, 25, 29)
_LETTERS: Colour = (238, 238, 240)
_FAINT: Colour = (160, 162, 168)
_one_at_a_time = Lock()  # letters are drawn from several threads


def annotated(shot: Shot) -> np.ndarray:
    """The picture with a panel of two rows under it, RGB uint8; its size depends on the picture's alone."""
    with _one_at_a_time:
        image = _enlarged(shot.picture)
        if shot.objects or shot.forecasts:
            image = _with_objects(image, shot)
        canvas = np.full((image.shape[0] + 2 * ROW, image.shape[1], 3), _PANEL, np.uint8)
        canvas[: image.shape[0]] = image
        _draw_labels(canvas, shot)
        _draw_foot(canvas, shot)
    return canvas


def as_jpeg(image: np.ndarray) -> bytes:
    """An RGB picture as a JPEG file."""
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return coded.tobytes()


def from_jpeg(data: bytes) -> np.ndarray:
    """The picture ``(H, W, 3)`` RGB that :func:`as_jpeg` made a file of."""
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def _enlarged(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = SMALLEST_SIDE / max(height, width)
    if scale <= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))


def _with_objects(image: np.ndarray, shot: Shot) -> np.ndarray:
    """A copy with futures, boxes and, at each box, number, label and probability."""
    image, scale = image.copy(), image.shape[1] / shot.picture.shape[1]
    colours = colour_of(shot.labels)
    draw_futures(image, shot.forecasts, lambda positions: scale * shot.place(positions))
    for one in shot.objects:
        unknown = UNKNOWN if shot.labels else colour_of_track(one.track_id)
        colour, box_4 = colours.get(one.label or "", unknown), scale * one.box_4
        draw_box(image, box_4, colour, 2 * stroke_width(image.shape[0]))
        draw_tag(image, tag_text(image, one), box_4[0], box_4[1], colour)
    draw_paths(image, shot.forecasts, lambda positions: scale * shot.place(positions))
    return image


def _draw_labels(canvas: np.ndarray, shot: Shot) -> None:
    """What lasts, on plates; else the likeliest, in grey."""
    middle, size, width = canvas.shape[0] - 3 * ROW // 2, round(0.62 * ROW), canvas.shape[1]
    colours, left = colour_of(shot.labels), 6
    for label in shot.lasting:
        text = elide(label, size, max(1, min(width - left - 12, width // 2)))
        right = left + text_width(text, size) + 12
        if not text or right > width:
            break
        colour = colours.get(label, UNKNOWN)
        canvas[middle - ROW // 2 + 2 : middle + ROW // 2 - 1, left:right] = colour
        draw_text(canvas, text, left + 6, middle, size=size, colour=ink_on(colour))
        left = right + 6
    if not shot.lasting and shot.likeliest:
        label, probability = shot.likeliest
        draw_text(
            canvas, f"{probability:.2f} {label}", left, middle, size=size, colour=_FAINT, width=width - 12
        )


def _draw_foot(canvas: np.ndarray, shot: Shot) -> None:
    """The source at the left; when it was, and how old it is, at the right."""
    middle, size, width = canvas.shape[0] - ROW // 2 - 2, round(0.55 * ROW), canvas.shape[1]
    when = shot.utc[:19].replace("T", " ") + " UTC" if shot.utc else clock(shot.seconds)
    age = "" if shot.age_seconds is None else f"  {shot.age_seconds:.2f} s ago"
    draw_text(canvas, when + age, width - 6, middle, size=size, colour=_LETTERS, align="right")
    room = width - text_width(when + age, size) - 24
    draw_text(canvas, elide(shot.name, size, max(1, room)), 6, middle, size=size, colour=_FAINT)
