"""A picture of a recurrent layer at work: frames, prediction, what it rests on, and every gate over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from vidlstm.render.moments import Strip, strips_of, time_span
from vidlstm.render.palette import UNKNOWN, colour_of
from vidlstm.render.plot.action_timeline import draw_curves, draw_strips
from vidlstm.render.plot.canvas import picture_file, rgb
from vidlstm.render.words import short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vidlstm.structures import ActionPrediction, Frame, Segment

PANELS = {
    "f": "forget gate",
    "i": "input gate",
    "o": "output gate",
    "r": "reset gate",
    "z": "update gate (1 keeps)",
    "c": "cell state",
    "h": "hidden state",
}
"""What is drawn where a cell has it, in this order; the hidden state only where there is no cell state."""

STATES = ("c", "h")
_COLUMNS = 1600  # more than the picture has pixels
_FRAME_HEIGHT = 0.95  # of the strip of frames, inches
_WIDTH = 12.0


@dataclass(frozen=True, eq=False)
class GateCourse:
    """What one layer did over a whole video.

    Attributes:
        timestamps_seconds: ``(T,)``.
        ways: by direction, such as ``forward``: gates and states by letter, ``(T, D)``.
        attribution_T: what each step adds to the probability of the class; None where it was not measured.
    """

    timestamps_seconds: np.ndarray
    ways: Mapping[str, Mapping[str, np.ndarray]]
    attribution_T: np.ndarray | None = None


def plot_gates(
    course: GateCourse,
    prediction: ActionPrediction,
    frames: Sequence[Frame],
    path: str | Path,
    *,
    title: str = "",
    truth: Sequence[Segment] | None = None,
) -> None:
    """Draws one layer into a PNG file.

    From the top: frames; true and predicted segments; class probabilities; what each step adds to them; then
    for each direction a heat map a gate and one of the state, a row a unit, units that behave alike beside
    each other. Solid lines are true borders of segments (predicted ones where no truth is given), dashed ones
    predicted.

    Args:
        course: of one layer.
        prediction: of the same video.
        frames: some, in time order.
        path: the PNG file.
        title: above it.
        truth: the true segments.

    Raises:
        OutputError: the file cannot be written.
    """
    maps = [(way, letter) for way, values in course.ways.items() for letter in drawn(values)]
    span, rows = time_span(prediction, truth), strips_of(prediction.segments, truth)[::-1]
    heights = [_FRAME_HEIGHT, 0.26 * len(rows), 1.5]
    heights += [0.8] * (course.attribution_T is not None) + [1.15] * len(maps)
    with picture_file(path, _WIDTH, sum(heights) + 1.0, 100) as figure:
        axes = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
        _frames(axes[0], frames, span)
        draw_strips(axes[1], prediction, rows, span)
        draw_curves(axes[2], prediction)
        if course.attribution_T is not None:
            _attribution(axes[3], course, prediction)
        orders = {way: order_of(values) for way, values in course.ways.items()}
        for axis, (way, letter) in zip(axes[-len(maps) :], maps, strict=True):
            values_TD = course.ways[way][letter][:, orders[way]]
            _heat_map(figure, axis, letter, resampled(course.timestamps_seconds, values_TD, span), span)
            axis.set_ylabel(f"{way}\n{PANELS[letter]}", fontsize=8)
        _borders(axes, rows)
        axes[0].set(title=short(title, 110), xlim=span)
        axes[0].title.set(ha="left", position=(0, 1), fontsize=11)
        axes[1].set_xlabel("")
        axes[-1].set_xlabel("seconds")


def drawn(values: Mapping[str, np.ndarray]) -> list[str]:
    """The letters of ``PANELS`` that a cell's trace has a heat map for."""
    return [letter for letter in PANELS if letter in values and not (letter == "h" and "c" in values)]


def order_of(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """An order of units, ``(D,)``, in which neighbours behave alike over time, in all that is drawn of them.

    Leaves of a tree that joins units whose gates and states are close (average linkage), turned so that
    neighbouring leaves are as close as can be: Bar-Joseph, Gifford and Jaakkola 2001, "Fast optimal leaf
    ordering for hierarchical clustering".
    """
    courses = [_course(letter, np.asarray(values[letter], np.float64)) for letter in drawn(values)]
    steps, units = courses[0].shape
    if units < 3 or steps < 2:
        return np.arange(units)
    order: np.ndarray = leaves_list(
        linkage(np.concatenate(courses).T, "average", "euclidean", optimal_ordering=True)
    )
    return order


def _course(letter: str, values_TD: np.ndarray) -> np.ndarray:
    """Brings a state to the range of a gate, so that both count alike."""
    if letter not in STATES:
        return values_TD
    return values_TD / (2 * max(float(np.percentile(np.abs(values_TD), 99)), 1e-6))


def resampled(timestamps_seconds: np.ndarray, values_TD: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    """The values at evenly spread moments, ``(D, columns)``: the step that each moment belongs to."""
    count = min(_COLUMNS, 8 * len(timestamps_seconds))
    moments = span[0] + (np.arange(count) + 0.5) / count * (span[1] - span[0])
    steps = np.searchsorted(timestamps_seconds, moments, side="right") - 1
    columns: np.ndarray = values_TD[np.clip(steps, 0, len(timestamps_seconds) - 1)].T
    return columns


def _frames(axis: Axes, frames: Sequence[Frame], span: tuple[float, float]) -> None:
    """Each frame in an equal share of the strip, cut in the middle where it is too wide for it."""
    axis.set_axis_off()
    share = (span[1] - span[0]) / max(1, len(frames))
    for number, frame in enumerate(frames):
        left = span[0] + number * share
        axis.imshow(frame.image, extent=(left, left + 0.96 * share, 0, 1), aspect="auto")
    axis.set_ylim(0, 1)


def frame_count(height: int, width: int) -> int:
    """How many frames of this size fill the strip without being stretched."""
    strip = _WIDTH * 0.78  # what labels, legend and colour bars leave
    return max(1, round(strip / (_FRAME_HEIGHT * width / height)))


def _attribution(axis: Axes, course: GateCourse, prediction: ActionPrediction) -> None:
    """A bar a step: in the colour of the segment's label where it speaks for it, grey where against."""
    assert course.attribution_T is not None
    times, colours = course.timestamps_seconds, colour_of(prediction.labels)
    starts = np.array([segment.start_seconds for segment in prediction.segments])
    at = np.searchsorted(starts, times + 1e-9, side="right") - 1
    labels = [prediction.segments[i].label for i in np.clip(at, 0, len(starts) - 1)] if len(starts) else []
    width = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    chosen = [rgb(colours.get(label, UNKNOWN)) for label in labels] or [rgb(UNKNOWN)] * len(times)
    bars = [
        colour if value >= 0 else (0.6, 0.6, 0.6)
        for colour, value in zip(chosen, course.attribution_T, strict=True)
    ]
    axis.bar(times, course.attribution_T, width=width, align="edge", color=bars, linewidth=0)
    axis.axhline(0, color="0.4", linewidth=0.6)
    axis.set_ylabel("rests on\n(integr. grad.)", fontsize=8)
    axis.tick_params(labelbottom=False)


def _heat_map(
    figure: Figure, axis: Axes, letter: str, columns_DC: np.ndarray, span: tuple[float, float]
) -> None:
    low, high = (float(v) for v in np.percentile(columns_DC, (1, 99)))
    if letter in STATES:
        high = max(abs(low), abs(high), 1e-6)
        low = -high
    picture = axis.imshow(
        columns_DC,
        aspect="auto",
        interpolation="nearest",
        extent=(*span, len(columns_DC), 0),
        cmap="RdBu_r" if letter in STATES else "viridis",
        vmin=low,
        vmax=max(high, low + 1e-6),
    )
    bar = figure.colorbar(picture, cax=axis.inset_axes((1.012, 0.0, 0.012, 1.0)))
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    axis.set_yticks([])
    axis.tick_params(labelbottom=False)


def _borders(axes: Sequence[Axes], rows: Sequence[Strip]) -> None:
    """The first row's borders as solid lines, the second's as dashed ones, below the strips."""
    for (_, segments), style in zip(rows, ("-", (0, (3, 2))), strict=False):
        for segment in segments[1:]:
            for axis in axes[2:]:
                axis.axvline(segment.start_seconds, color="black", linewidth=1.1, linestyle=style)
    axes[-1].tick_params(labelbottom=True)
