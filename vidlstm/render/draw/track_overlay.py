"""The video with what was tracked drawn on it: boxes, numbers and the way each object has come."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

import numpy as np
import polars

from vidlstm.render.draw.drawn_video import write_drawn
from vidlstm.render.draw.strokes import colour_of_track, draw_box, draw_line, draw_tag, stroke_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from vidlstm.structures import Frame

TRAIL_SECONDS = 4.0
"""How far back a trail goes."""


class TrackDrawer:
    """Draws on frames that come in order.

    Args:
        table: the tracks of one video, as ``datasets/tracks_parquet.py`` has them.
        trails: draw where each object came from.
    """

    def __init__(self, table: polars.DataFrame, *, trails: bool = True) -> None:
        self._trails = trails
        self._rows: dict[int, list[tuple[int, str, np.ndarray]]] = defaultdict(list)
        self._past: dict[int, deque[tuple[float, float, float]]] = defaultdict(deque)
        wanted = table.select("frame", "track_id", "class", "x1", "y1", "x2", "y2")
        for frame, track_id, label, *box in wanted.iter_rows():
            self._rows[frame].append((track_id, label, np.array(box, np.float64)))

    def boxes(self, frame: Frame) -> dict[int, np.ndarray]:
        """The boxes in a frame by track, x1, y1, x2, y2 in pixels."""
        return {track_id: box for track_id, _, box in self._rows.get(frame.index, ())}

    def draw(self, frame: Frame) -> np.ndarray:
        """A copy of the frame with boxes, numbers and trails."""
        image = frame.image.copy()
        self.draw_on(image, frame)
        return image

    def draw_on(self, image: np.ndarray, frame: Frame) -> None:
        """Draws boxes, numbers and trails onto a picture of this frame, in place."""
        width = stroke_width(image.shape[0])
        rows = self._rows.get(frame.index, ())
        for track_id, _, box in rows if self._trails else ():
            self._draw_trail(image, frame.timestamp_seconds, track_id, box, width)
        for track_id, label, box in rows:
            colour = colour_of_track(track_id)
            draw_box(image, box, colour, width)
            draw_tag(image, f"{label} {track_id}", box[0], box[1], colour)

    def _draw_trail(
        self, image: np.ndarray, seconds: float, track_id: int, box: np.ndarray, width: int
    ) -> None:
        past = self._past[track_id]
        past.append((seconds, (box[0] + box[2]) / 2, box[3]))
        while seconds - past[0][0] > TRAIL_SECONDS:
            past.popleft()
        draw_line(image, np.array(past)[:, 1:], colour_of_track(track_id), 2 * width)


def draw_tracks(
    frames: Iterable[Frame],
    table: polars.DataFrame,
    path: str | Path,
    *,
    fps: float,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the video with its tracks. One frame is held at a time.

    Args:
        frames: of the video; the first is at 0 s in the new file.
        table: its tracks.
        path: the MP4 file.
        fps: the rate that the file claims; the frames keep their own times.
        progress: called with the number of frames written, after each.

    Returns:
        How many frames were written.

    Raises:
        VideoError: there is no frame, or the file cannot be written.
    """
    drawer = TrackDrawer(table)
    return write_drawn(frames, drawer.draw, path, fps=fps, progress=progress)
