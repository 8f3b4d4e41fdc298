"""The annotated video: label, probability bars and a timeline in a panel under every frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from vidlstm.render.draw.drawn_video import first_of, write_drawn
from vidlstm.render.draw.layout import BARS, lay_out
from vidlstm.render.draw.lettering import draw_text, elide, text_width
from vidlstm.render.fonts import fonts_for
from vidlstm.render.moments import (
    Strip,
    certainty,
    clock,
    parts_of,
    probabilities_at,
    segment_at,
    strips_of,
    time_span,
    within,
)
from vidlstm.render.palette import UNKNOWN, Colour, colour_of
from vidlstm.render.words import ELLIPSIS, one_line
from vidlstm.structures import ActionPrediction, Frame, Segment

NOTE = "timeline: a bar is as full as its label is probable"
_KEY_ROWS = 6
_PALE = 0.45
"""How much of a colour the ground of a segment has, on which its bar stands."""
_PANEL: Colour = (24, 25, 29)
_TRACK: Colour = (52, 54, 60)
_LETTERS: Colour = (238, 238, 240)
_FAINT: Colour = (160, 162, 168)


def draw_action_overlay(
    frames: Iterable[Frame],
    prediction: ActionPrediction,
    path: str | Path,
    *,
    fps: float,
    truth: Sequence[Segment] | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the video with the prediction drawn under it. One frame is held at a time.

    Args:
        frames: of the video, with the container's own times; the first is at 0 s in the new file.
        prediction: what to draw.
        path: the MP4 file.
        fps: the rate that the file claims; the frames keep their own times.
        truth: true segments, for a second timeline.
        progress: called with the number of frames written, after each.

    Returns:
        How many frames were written.

    Raises:
        VideoError: there is no frame, or the file cannot be written.
    """
    first, frames = first_of(frames, prediction.video)
    height, width = first.image.shape[:2]
    drawer = OverlayDrawer(height, width, prediction, truth)
    return write_drawn(frames, drawer.draw_frame, path, fps=fps, progress=progress)


class OverlayDrawer:
    """Draws single annotated frames.

    Args:
        height, width: of the video, pixels.
        prediction: what to draw.
        truth: true segments, or None.
        note: small letters at the foot of the panel.
        nothing: said in place of a label where there is none.
    """

    def __init__(
        self,
        height: int,
        width: int,
        prediction: ActionPrediction,
        truth: Sequence[Segment] | None = None,
        *,
        note: str = NOTE,
        nothing: str = "-",
    ) -> None:
        self._prediction, self._nothing = prediction, nothing
        self._colours = colour_of(prediction.labels)
        self._strips = strips = strips_of(prediction.segments, truth)
        self._parts = parts_of(time_span(prediction, truth), strips)
        self._span = self._parts[0]
        fonts_for("".join([*prediction.labels, *(s.label for _, row in strips for s in row)]))
        place = partial(lay_out, height, width, classes=len(prediction.labels), strips=len(strips))
        self._key = key = _Key(note, self._unnamed(strips), place().width - 2 * place().margin, place().small)
        self.layout = place(key_rows=len(key.rows))
        self._empty = self._empty_panel()

    def _unnamed(self, strips: Sequence[Strip]) -> dict[str, Colour]:
        """The labels in the strips that may have no bar: there are bars of the likeliest alone."""
        used = dict.fromkeys(segment.label for _, row in strips for segment in row)
        always = self._prediction.labels if len(self._prediction.labels) <= BARS else ()
        return {label: self._colours.get(label, UNKNOWN) for label in used if label not in always}

    def draw(self, image: np.ndarray, timestamp_seconds: float) -> np.ndarray:
        """The frame with its panel, RGB uint8 ``(layout.height, layout.width, 3)``.

        Args:
            image: RGB uint8 ``(H, W, 3)``; any size, it is scaled to the layout's.
            timestamp_seconds: in the container's clock, as the prediction's times are.
        """
        self._turn_to(timestamp_seconds)
        to, canvas = self.layout, self._empty.copy()
        canvas[: to.video_height, to.video_left : to.video_left + to.video_width] = self.fit(image)
        self._draw_label(canvas, timestamp_seconds)
        self._draw_bars(canvas, timestamp_seconds)
        self._draw_playhead(canvas, timestamp_seconds)
        return canvas

    def draw_frame(self, frame: Frame) -> np.ndarray:
        """A frame with its panel, at its own time; see :meth:`draw`."""
        return self.draw(frame.image, frame.timestamp_seconds)

    def fit(self, image: np.ndarray) -> np.ndarray:
        """The picture ``(layout.video_height, layout.video_width, 3)``; itself where it has that size."""
        height, width = self.layout.video_height, self.layout.video_width
        if image.shape[:2] == (height, width):
            return image
        way = cv2.INTER_CUBIC if image.shape[0] < height else cv2.INTER_AREA
        return cv2.resize(image, (width, height), interpolation=way)

    def _turn_to(self, seconds: float) -> None:
        """Shows the part of a long timeline that holds a time."""
        place = bisect_right(self._parts, seconds, key=lambda part: part[0]) - 1
        part = self._parts[max(0, place)]
        if part != self._span:
            self._span = part
            self._empty = self._empty_panel()

    def _empty_panel(self) -> np.ndarray:
        to = self.layout
        canvas = np.full((to.height, to.width, 3), _PANEL, np.uint8)
        canvas[: to.video_height] = 0
        for row, (name, segments) in enumerate(self._strips):
            top = to.strips_top + row * to.strip_step
            self._draw_strip(canvas, top, name, within(segments, *self._span))
        self._draw_ticks(canvas, to.strips_top + len(self._strips) * to.strip_step)
        self._key.draw(canvas, to.margin, to.key_top, to.unit)
        return canvas

    def _x(self, seconds: float) -> int:
        start, end = self._span
        share = min(max((seconds - start) / (end - start), 0.0), 1.0)
        return self.layout.strip_left + round(share * self.layout.strip_width)

    def _draw_strip(self, canvas: np.ndarray, top: int, name: str, segments: Sequence[Segment]) -> None:
        to = self.layout
        rows, size = slice(top, top + to.strip_height), round(to.font * 0.85)
        canvas[rows, to.strip_left : to.strip_left + to.strip_width] = _TRACK
        middle = top + to.strip_height // 2
        if to.strips > 1:
            draw_text(canvas, name, to.margin, middle, size=round(to.font * 0.8), colour=_FAINT)
        for segment in segments:
            left, right = self._x(segment.start_seconds), self._x(segment.end_seconds)
            colour = self._colours.get(segment.label, UNKNOWN)
            right = max(left + 1, right - 1)
            canvas[rows, left:right] = _pale(colour)
            full = max(1, round(to.strip_height * certainty(segment)))
            canvas[rows.stop - full : rows.stop, left:right] = colour
            if (room := right - left - 4) > 2 * size:
                draw_text(
                    canvas,
                    segment.label,
                    left + 3,
                    middle,
                    size=size,
                    colour=_LETTERS,
                    width=room,
                    halo=_PANEL,
                )

    def _draw_ticks(self, canvas: np.ndarray, top: int) -> None:
        to, (start, end) = self.layout, self._span
        middle = top + round(0.55 * to.unit)
        left, right = to.strip_left, to.strip_left + to.strip_width
        draw_text(canvas, clock(start), left, middle, size=to.small, colour=_FAINT)
        draw_text(canvas, clock(end), right, middle, size=to.small, colour=_FAINT, align="right")

    def _draw_label(self, canvas: np.ndarray, seconds: float) -> None:
        to = self.layout
        segment = segment_at(self._prediction.segments, seconds)
        label = segment.label if segment else self._nothing
        colour = self._colours.get(label, UNKNOWN)
        top, height = to.bars_top + round(0.1 * to.unit), round(to.unit * 2.3)
        canvas[top : top + height, to.margin : to.margin + max(4, to.unit // 3)] = colour
        left = to.margin + to.unit
        room = to.bars_left - left - to.unit
        size = _size_that_fits(label, room, round(to.unit * 1.6), to.font)
        middle = top + height // 2
        draw_text(canvas, label, left, middle, size=size, colour=_LETTERS, width=room, bold=True)
        below = top + height + round(0.75 * to.unit)
        sure = (
            f"{segment.probability:.0%} over {clock(segment.end_seconds - segment.start_seconds)}"
            if segment
            else ""
        )
        draw_text(canvas, sure, left, below, size=to.font, colour=_FAINT, width=room)
        draw_text(canvas, clock(seconds), left, below + round(1.2 * to.unit), size=to.font, colour=_FAINT)

    def _draw_bars(self, canvas: np.ndarray, seconds: float) -> None:
        to = self.layout
        probabilities = np.nan_to_num(probabilities_at(self._prediction, seconds))
        if self._prediction.segments and segment_at(self._prediction.segments, seconds) is None:
            probabilities = np.zeros_like(probabilities)  # nobody is judged
        # A stable sort: equal classes keep their order, so that bars at zero do not dance.
        shown = np.argsort(-probabilities, kind="stable")[: to.bars]
        if len(self._prediction.labels) <= to.bars:
            shown = np.arange(len(self._prediction.labels))
        names = round((to.width - to.margin - to.bars_left) * 0.42)
        figure = round(to.unit * 2.2)
        left = to.bars_left + names
        length = to.width - to.margin - figure - left
        for row, index in enumerate(shown):
            middle = to.bars_top + round((row + 0.6) * to.unit * 1.1)
            label, probability = self._prediction.labels[index], float(probabilities[index])
            draw_text(
                canvas, label, left - to.unit // 2, middle, size=to.font, colour=_LETTERS, align="right",
                width=names - to.unit // 2,
            )  # fmt: skip
            half = max(2, round(to.unit * 0.34))
            rows = slice(middle - half, middle + half)
            canvas[rows, left : left + length] = _TRACK
            canvas[rows, left : left + round(length * min(max(probability, 0.0), 1.0))] = self._colours[label]
            draw_text(
                canvas,
                f"{probability:.2f}",
                to.width - to.margin,
                middle,
                size=to.font,
                colour=_FAINT,
                align="right",
            )

    def _draw_playhead(self, canvas: np.ndarray, seconds: float) -> None:
        to, x = self.layout, self._x(seconds)
        top = to.strips_top - max(2, to.unit // 5)
        bottom = to.strips_top + to.strips * to.strip_step
        half = max(1, to.unit // 12)
        canvas[top:bottom, max(0, x - half - 1) : x + half + 1] = (0, 0, 0)
        canvas[top:bottom, x - half : x + half] = (255, 255, 255)
        tip = np.array(
            [[x - to.unit // 3, top - to.unit // 3], [x + to.unit // 3, top - to.unit // 3], [x, top + 1]]
        )
        cv2.fillConvexPoly(canvas, tip, (255, 255, 255), cv2.LINE_AA)


class _Key:
    """A note, and labels beside their colours, in as many rows as they need, but not too many.

    Args:
        note: the text.
        names: labels and their colours.
        width: of a row, pixels.
        size: of the letters, pixels.
    """

    def __init__(self, note: str, names: dict[str, Colour], width: int, size: int) -> None:
        self._size = size
        self.rows: list[list[tuple[str, Colour | None]]] = []
        words = [(word, None) for word in note.split("; ")]
        left = width + 1
        for text, colour in [*words, *((elide(one_line(n), size, width // 3), c) for n, c in names.items())]:
            room = self._room(text)
            if left + room > width:
                if len(self.rows) == _KEY_ROWS:
                    self.rows[-1][-1] = (ELLIPSIS, None)
                    break
                self.rows.append([])
                left = 0
            self.rows[-1].append((text, colour))
            left += room

    def _room(self, text: str) -> int:
        return text_width(text, self._size) + 3 * self._size

    def draw(self, canvas: np.ndarray, left: int, top: int, step: int) -> None:
        """Writes the rows, ``step`` pixels apart, in place."""
        half = self._size // 2
        for number, row in enumerate(self.rows):
            x, middle = left, top + number * step + step // 2
            for text, colour in row:
                if colour is not None:
                    canvas[middle - half + 1 : middle + half - 1, x : x + 2 * half] = colour
                place = x + (3 * half if colour is not None else 0)
                draw_text(canvas, text, place, middle, size=self._size, colour=_FAINT)
                x += self._room(text)


def _pale(colour: Colour) -> Colour:
    r, g, b = (round(_TRACK[i] + _PALE * (colour[i] - _TRACK[i])) for i in range(3))
    return r, g, b


def _size_that_fits(text: str, room: int, largest: int, smallest: int) -> int:
    """The largest bold letters in which the text fits; the smallest where none do, and it is elided then."""
    width = max(1, text_width(text, largest, bold=True))
    return max(smallest, min(largest, largest * room // width))


def annotated(
    frames: Iterable[Frame], prediction: ActionPrediction, truth: Sequence[Segment] | None = None
) -> Iterator[np.ndarray]:
    """The annotated frames as arrays, for notebooks and tests. Nothing is written."""
    drawer: OverlayDrawer | None = None
    for frame in frames:
        height, width = frame.image.shape[:2]
        drawer = drawer or OverlayDrawer(height, width, prediction, truth)
        yield drawer.draw_frame(frame)
