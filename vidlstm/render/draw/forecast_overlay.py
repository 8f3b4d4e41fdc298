"""The video with forecasts drawn on it: past, K futures, their spread, one path, and constant velocity."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vidlstm.render.draw.drawn_video import write_drawn
from vidlstm.render.draw.lettering import draw_text, text_width
from vidlstm.render.draw.strokes import draw_dashes, draw_line, fill, stroke_width, tag_size
from vidlstm.render.draw.track_overlay import TrackDrawer
from vidlstm.render.moments import NINETY
from vidlstm.render.palette import Colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import polars

    from vidlstm.structures import Frame, PathForecast

    Place = Callable[[np.ndarray], np.ndarray]

PAST: Colour = (255, 255, 255)
ONE: Colour = (235, 60, 50)
MODES: Colour = (60, 150, 235)
STRAIGHT: Colour = (250, 215, 40)
LEGEND = (
    ("past", PAST),
    ("forecast", ONE),
    ("futures, 90 % regions", MODES),
    ("constant velocity", STRAIGHT),
)
LIKELY = 3
"""Regions are drawn for so many of the likeliest futures."""
LEVELS = ((-1.0, 0.2, 0.35), (0.2, 0.5, 0.6), (0.5, 1.0, 1.0))
"""Futures by their probability beside the likeliest (above, up to), and how strongly they are drawn."""
_TURN = np.linspace(0, 2 * np.pi, 25)[:-1]


class ForecastDrawer:
    """Draws on frames that come in order.

    Args:
        table: the tracks of one video.
        forecasts: of that video. One is shown from its moment until the next one of its track, for as long
            as a forecast lasts at most, and only where its track has a box.
        place: positions ``(..., 2)`` to pixels, where forecasts are in another unit.
    """

    def __init__(
        self, table: polars.DataFrame, forecasts: Sequence[PathForecast], *, place: Place = lambda p: p
    ) -> None:
        self._tracks, self._place = TrackDrawer(table, trails=False), place
        self._of: dict[int, list[PathForecast]] = defaultdict(list)
        for forecast in sorted(forecasts, key=lambda f: f.moment_seconds):
            self._of[forecast.track_id].append(forecast)
        self._moments = {track: [f.moment_seconds for f in found] for track, found in self._of.items()}
        self._every = _usual_step(self._moments)
        self._strip: np.ndarray | None = None

    def shown(self, track_id: int, seconds: float) -> PathForecast | None:
        """The forecast that is drawn for a track at a time."""
        place = bisect_right(self._moments.get(track_id, []), seconds + 1e-6) - 1
        if place < 0:
            return None
        forecast = self._of[track_id][place]
        return forecast if seconds - forecast.moment_seconds < 1.5 * self._every else None

    def draw(self, frame: Frame) -> np.ndarray:
        """A copy of the frame with boxes, numbers and forecasts, and under it what the colours mean."""
        image = frame.image.copy()
        shown = [self.shown(track, frame.timestamp_seconds) for track in self._tracks.boxes(frame)]
        current = [f for f in shown if f is not None]
        draw_futures(image, current, self._place)
        self._tracks.draw_on(image, frame)
        draw_paths(image, current, self._place)
        return np.concatenate([image, self._legend(*image.shape[:2])])

    def _legend(self, height: int, width: int) -> np.ndarray:
        if self._strip is None or self._strip.shape[1] != width:
            self._strip = legend_strip(height, width)
        return self._strip


def draw_futures(image: np.ndarray, forecasts: Sequence[PathForecast], place: Place) -> None:
    """Every future, the stronger the likelier, and where the likeliest end; in place.

    Args:
        image: RGB uint8.
        forecasts: one an object.
        place: positions ``(..., 2)`` to pixels.
    """
    for forecast in forecasts:
        for k in range(min(LIKELY, len(forecast.modes_KPC))):
            outline = place(_region(forecast, k))
            if np.isfinite(outline).all():
                fill(image, outline, MODES, 0.2 * _relative(forecast)[k])
    for low, high, strength in LEVELS:
        layer = image.copy()
        for forecast in forecasts:
            share_K = _relative(forecast)
            for mode in forecast.modes_KPC[(share_K > low) & (share_K <= high)]:
                path = np.concatenate([forecast.observed_TC[-1:], mode])
                draw_line(layer, place(_feet(path)), MODES, 1)
        image[:] = cv2.addWeighted(layer, strength, image, 1 - strength, 0)


def draw_paths(image: np.ndarray, forecasts: Sequence[PathForecast], place: Place) -> None:
    """The way each object has come, its one path, and constant velocity; see :func:`draw_futures`."""
    width = stroke_width(image.shape[0])
    for forecast in forecasts:
        here = forecast.observed_TC[-1:]
        straight = np.concatenate([here, forecast.straight_PC])
        draw_line(image, place(_feet(forecast.observed_TC)), PAST, width)
        draw_dashes(image, place(_feet(straight)), STRAIGHT, width)
        draw_line(image, place(_feet(np.concatenate([here, forecast.path_PC]))), ONE, 2 * width)


def _relative(forecast: PathForecast) -> np.ndarray:
    """The probability ``(K,)`` of each future beside that of the likeliest."""
    share_K: np.ndarray = forecast.probabilities_K / max(forecast.probabilities_K.max(initial=0.0), 1e-12)
    return share_K


def _feet(path_PC: np.ndarray) -> np.ndarray:
    """Where boxes stand, the middle of their lower edge; points as they are."""
    if path_PC.shape[1] == 2:
        return path_PC
    feet: np.ndarray = path_PC[:, :2] + path_PC[:, 2:] * [0.0, 0.5]
    return feet


def _region(forecast: PathForecast, k: int) -> np.ndarray:
    """The outline ``(Q, 2)`` of the 90 % region of a future's last step."""
    along, across = forecast.spread_KPC[k, -1, :2]
    cos, sin = np.cos(forecast.heading_radians), np.sin(forecast.heading_radians)
    circle = NINETY * np.stack([along * np.cos(_TURN), across * np.sin(_TURN)], axis=1)
    outline: np.ndarray = _feet(forecast.modes_KPC[k])[-1] + circle @ np.array([[cos, sin], [-sin, cos]])
    return outline


def _usual_step(moments: dict[int, list[float]]) -> float:
    """The median time between forecasts of a track, seconds; one where no track has two."""
    steps = np.concatenate([np.diff(m) for m in moments.values()] or [np.zeros(0)])
    return float(np.median(steps)) if len(steps) else 1.0


def legend_strip(height: int, width: int) -> np.ndarray:
    """Names in their colours, in as many rows as they need, for under a picture of ``height`` x ``width``;
    RGB uint8 of the same width.
    """
    size = tag_size(height)
    left, rows = size // 2, list[list[tuple[int, str, Colour]]]([[]])
    for name, colour in LEGEND:
        room = text_width(name, size) + 2 * size
        if rows[-1] and left + room - size > width:
            rows.append([])
            left = size // 2
        rows[-1].append((left, name, colour))
        left += room
    step = round(1.6 * size)
    strip = np.full((step * len(rows), width, 3), 24, np.uint8)
    for number, row in enumerate(rows):
        for left, name, colour in row:
            draw_text(strip, name, left, number * step + step // 2, size=size, colour=colour)
    return strip


def draw_forecasts(
    frames: Iterable[Frame],
    table: polars.DataFrame,
    forecasts: Sequence[PathForecast],
    path: str | Path,
    *,
    fps: float,
    place: Place = lambda p: p,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the video with its tracks and forecasts. One frame is held at a time.

    Args:
        frames: of the video; the first is at 0 s in the new file.
        table: its tracks.
        forecasts: see :class:`ForecastDrawer`.
        path: the MP4 file.
        fps: the rate that the file claims; the frames keep their own times.
        place: positions to pixels.
        progress: called with the number of frames written, after each.

    Returns:
        How many frames were written.

    Raises:
        VideoError: there is no frame, or the file cannot be written.
    """
    drawer = ForecastDrawer(table, forecasts, place=place)
    return write_drawn(frames, drawer.draw, path, fps=fps, progress=progress)
