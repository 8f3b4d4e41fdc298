"""A window with the last annotated frame of every source, side by side."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vidlstm.errors import SettingsError
from vidlstm.render.live.listener import Listener, News, Shot

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE = "vidlstm watch"
WIDTH, HEIGHT = 1280, 720
"""Of the whole window at most, pixels."""
ESCAPE = 27
_AT_LEAST_SECONDS = 1 / 30
_TRIAL = f"import cv2; cv2.namedWindow({TITLE!r}, cv2.WINDOW_NORMAL); cv2.waitKey(1); cv2.destroyAllWindows()"


@cache
def check_window() -> None:
    """Looks whether a window can be opened here, in a process of its own: some toolkits end theirs where not.

    Raises:
        SettingsError: there is no display, or this OpenCV has no windows.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SettingsError("`show` opens a window, and there is no display here; use `http :8080` instead")
    loaded = [name for name in sys.modules if name in ("av", "cv2")]
    if loaded == ["av", "cv2"]:  # both bring libraries of X, and OpenCV waits for ever with those of PyAV
        raise SettingsError("`show` opens a window, but av is imported before cv2; swap them")
    try:
        done = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        raise SettingsError(
            "`show` opens a window, and OpenCV cannot open one here: the display does not answer, or it is a "
            "headless build (opencv-python has windows); use `http :8080` instead"
        )


class Window(Listener):
    """The window; to be made and used in the main thread. q, Esc, or closing it ends the watching.

    Args:
        sources: how many there are.
    """

    takes_shots = True

    def __init__(self, sources: int) -> None:
        self._shots: list[Shot | None] = [None] * sources
        self._changed, self._shown = False, 0.0
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        rows, columns = grid_of(sources)
        cv2.resizeWindow(TITLE, WIDTH, min(HEIGHT, WIDTH * rows // columns))

    def on_shot(self, shot: Shot) -> None:
        """Keeps the newest frame of each source."""
        self._shots[shot.source], self._changed = shot, True

    def turn(self) -> list[News]:
        """Shows what is new, and looks at the keyboard."""
        now = time.monotonic()
        if now - self._shown < _AT_LEAST_SECONDS:
            return []
        self._shown = now
        if self._changed:
            self._changed = False
            cv2.imshow(
                TITLE, mosaic([None if shot is None else shot.drawn for shot in self._shots])[..., ::-1]
            )
        pressed = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        self.done = self.done or pressed in (ord("q"), ESCAPE) or closed
        return []

    def close(self) -> None:
        """Closes it."""
        cv2.destroyAllWindows()


def grid_of(count: int) -> tuple[int, int]:
    """Rows and columns for so many pictures, as square as can be."""
    columns = math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


def mosaic(images: Sequence[np.ndarray | None]) -> np.ndarray:
    """Pictures in a grid of cells of one size, each whole in its cell; RGB uint8.

    Args:
        images: RGB uint8 of any size; None leaves a cell black.
    """
    rows, columns = grid_of(len(images))
    there = [image for image in images if image is not None]
    widest, highest = max(i.shape[1] for i in there), max(i.shape[0] for i in there)
    scale = min(1.0, WIDTH / (columns * widest), HEIGHT / (rows * highest))
    width, height = max(1, int(widest * scale)), max(1, int(highest * scale))
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    for number, image in enumerate(images):
        if image is None:
            continue
        fits = min(width / image.shape[1], height / image.shape[0])
        size = max(1, int(image.shape[1] * fits)), max(1, int(image.shape[0] * fits))
        top = number // columns * height + (height - size[1]) // 2
        left = number % columns * width + (width - size[0]) // 2
        whole[top : top + size[1], left : left + size[0]] = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA
        )
    return whole
