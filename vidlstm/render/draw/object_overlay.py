"""The video with what each tracked object does: at its box, and under the picture what they do together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.render.draw.action_overlay import NOTE as TIMELINE
from vidlstm.render.draw.action_overlay import OverlayDrawer
from vidlstm.render.draw.drawn_video import first_of, write_drawn
from vidlstm.render.draw.lettering import elide, text_width
from vidlstm.render.draw.strokes import (
    draw_box,
    draw_plate,
    fill,
    plate_of,
    stroke_width,
    tag_height,
    tag_size,
)
from vidlstm.render.draw.track_overlay import TrackDrawer
from vidlstm.render.moments import (
    NOBODY,
    attention_at,
    judged_scene,
    nobody,
    probabilities_at,
    segment_at,
)
from vidlstm.render.palette import UNKNOWN, Colour, colour_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import polars

    from vidlstm.structures import Frame, ObjectActions, Segment

NOTE = f"thicker box: more say in the scene; grey: not judged; {TIMELINE}"
CASING: Colour = (16, 16, 18)
"""Of the line around a box's own, which sets it off from a picture of any colour."""
SLIM = 12
"""Lines are at most so much thinner than the box is wide, or small objects would be hidden."""
TINT = 0.14
"""How strongly the inside of the box with the most say is tinted."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One object in one frame.

    Attributes:
        track_id: its number.
        box_4: x1, y1, x2, y2 in pixels.
        label: what it does; None where that is not known.
        probability: of the label, at this moment.
        share: of the attention of the scene, at this moment.
    """

    track_id: int
    box_4: np.ndarray
    label: str | None = None
    probability: float = 0.0
    share: float = 0.0


def moment_of(actions: ObjectActions, track_id: int, box_4: np.ndarray, seconds: float) -> Moment:
    """What an object does at a time: the label of its segment, and between the middles of two windows
    probability and share on a straight line from one to the next.
    """
    prediction = actions.tracks.get(track_id)
    segment = segment_at(prediction.segments, seconds) if prediction else None
    if prediction is None or segment is None:
        return Moment(track_id, box_4)
    probabilities = dict(zip(prediction.labels, probabilities_at(prediction, seconds).tolist(), strict=True))
    share = float(attention_at(prediction, actions.attention[track_id], seconds))
    return Moment(track_id, box_4, segment.label, probabilities.get(segment.label, 0.0), share)


class ObjectActionDrawer:
    """Draws single annotated frames: boxes in the colours of their actions, and the scene's panel.

    Args:
        height, width: of the video, pixels.
        table: its tracks.
        actions: what they do.
        truth: true segments of the scene, or None.
    """

    def __init__(
        self,
        height: int,
        width: int,
        table: polars.DataFrame,
        actions: ObjectActions,
        truth: Sequence[Segment] | None = None,
    ) -> None:
        self._tracks, self._actions = TrackDrawer(table, trails=False), actions
        self._colours = colour_of(actions.labels)
        self._panel = OverlayDrawer(
            height, width, judged_scene(actions), truth, note=NOTE, nothing=nobody(actions) or NOBODY
        )
        self.layout = self._panel.layout

    def draw(self, frame: Frame) -> np.ndarray:
        """The frame with its boxes and its panel, RGB uint8 ``(layout.height, layout.width, 3)``."""
        image = np.array(self._panel.fit(frame.image))
        moments = self.moments(frame)
        most = max((m.share for m in moments), default=0.0)
        for moment in moments:
            self._draw_box(image, moment, moment.share / most if most > 0 else 0.0)
        taken = np.zeros(image.shape[:2], bool)
        for moment in reversed(moments):
            self._draw_tag(image, moment, taken)
        return self._panel.draw(image, frame.timestamp_seconds)

    def moments(self, frame: Frame) -> list[Moment]:
        """The objects of a frame, boxes in pixels of the layout's video; who has the most say comes last."""
        height, width = frame.image.shape[:2]
        scale = np.array([self.layout.video_width / width, self.layout.video_height / height] * 2)
        found = [
            moment_of(self._actions, track_id, box_4 * scale, frame.timestamp_seconds)
            for track_id, box_4 in self._tracks.boxes(frame).items()
            if np.isfinite(box_4).all()
        ]
        return sorted(found, key=lambda m: (m.label is not None, m.share))

    def _colour(self, moment: Moment) -> Colour:
        return self._colours.get(moment.label, UNKNOWN) if moment.label is not None else UNKNOWN

    def _draw_box(self, image: np.ndarray, moment: Moment, weight: float) -> None:
        colour, thin = self._colour(moment), stroke_width(image.shape[0])
        if moment.label is None:
            draw_box(image, moment.box_4, colour, thin)
            return
        x1, y1, x2, y2 = moment.box_4
        fill(image, np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), colour, TINT * weight)
        width = round(max(1.0, min(thin * (1 + 2 * weight), (x2 - x1) / SLIM, (y2 - y1) / SLIM)))
        draw_box(image, moment.box_4, CASING, width + 2)
        draw_box(image, moment.box_4, colour, width)

    def _draw_tag(self, image: np.ndarray, moment: Moment, taken: np.ndarray) -> None:
        """A tag where no other is: above, in or below the box; the number alone where there is no room."""
        x1, y1, _, y2 = moment.box_4
        high = tag_height(image.shape[0])
        for text in dict.fromkeys([tag_text(image, moment), str(moment.track_id)]):
            for bottom in (y1 - 1, y1 + high, y2, y2 + high + 1):
                plate = left, top, right, low = plate_of(image, text, x1 - 1, bottom)
                if not taken[top:low, left:right].any():
                    taken[top:low, left:right] = True
                    draw_plate(image, text, plate, self._colour(moment))
                    return


def tag_text(image: np.ndarray, moment: Moment) -> str:
    """``7 fight 0.93``; a long label is cut so that number and probability stay in the frame."""
    if moment.label is None:
        return str(moment.track_id)
    size = tag_size(image.shape[0])
    figures = f"{moment.track_id}  {moment.probability:.2f}"
    room = image.shape[1] - text_width(figures, size) - 2 * size
    label = elide(moment.label, size, min(room, 12 * size))
    return " ".join(filter(None, [str(moment.track_id), label, f"{moment.probability:.2f}"]))


def draw_object_actions(
    frames: Iterable[Frame],
    table: polars.DataFrame,
    actions: ObjectActions,
    path: str | Path,
    *,
    fps: float,
    truth: Sequence[Segment] | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the video with every object's action at its box and the scene's under it.

    Args:
        frames: of the video, with the container's own times; the first is at 0 s in the new file.
        table: its tracks.
        actions: what they do.
        path: the MP4 file.
        fps: the rate that the file claims; the frames keep their own times.
        truth: true segments of the scene, for a second timeline.
        progress: called with the number of frames written, after each.

    Returns:
        How many frames were written.

    Raises:
        VideoError: there is no frame, or the file cannot be written.
    """
    first, frames = first_of(frames, actions.video)
    height, width = first.image.shape[:2]
    drawer = ObjectActionDrawer(height, width, table, actions, truth)
    return write_drawn(frames, drawer.draw, path, fps=fps, progress=progress)
