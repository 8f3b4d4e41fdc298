"""A picture of what was said when: probabilities over time, and the segments under them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from vidlstm.render.moments import Strip, strips_of, time_span, window_middles
from vidlstm.render.palette import UNKNOWN, colour_of, is_bright
from vidlstm.render.plot.canvas import legend_name, picture_file, rgb
from vidlstm.render.words import short
from vidlstm.structures import ActionPrediction, Segment

_LINES = 8  # as many curves as can be told apart; the other classes share one grey band


def plot_timeline(
    prediction: ActionPrediction, path: str | Path, truth: Sequence[Segment] | None = None
) -> None:
    """Draws probabilities over time, and the segments under them, into a PNG file.

    Args:
        prediction: what to draw.
        path: the PNG file.
        truth: true segments, for a second strip.

    Raises:
        OutputError: the file cannot be written.
    """
    strips = 2 if truth is not None else 1
    span = time_span(prediction, truth)
    with picture_file(path, 11.0, 3.6 + 0.55 * strips, 110) as figure:
        curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 0.6 * strips])
        draw_curves(curves, prediction)
        draw_strips(bars, prediction, strips_of(prediction.segments, truth), span)
        bars.set_xlim(*span)
        curves.set_title(short(Path(prediction.video).name or prediction.video, 90), loc="left", fontsize=11)


def draw_curves(axes: Axes, prediction: ActionPrediction) -> None:
    """Draws the probabilities of the likeliest classes at the middles of the windows."""
    middles = window_middles(prediction)
    probabilities, colours = prediction.window_probabilities, colour_of(prediction.labels)
    peaks = probabilities.max(axis=0) if len(middles) else np.zeros(len(prediction.labels))
    chosen = sorted(np.argsort(-peaks, kind="stable")[:_LINES].tolist())
    if len(prediction.labels) > len(chosen):
        rest = probabilities.sum(axis=1) - probabilities[:, chosen].sum(axis=1)
        axes.fill_between(
            middles, rest, color="0.88", linewidth=0, label=f"{len(peaks) - len(chosen)} others"
        )
    marker = "o" if len(middles) == 1 else ""
    for index in chosen:
        label = prediction.labels[index]
        axes.plot(middles, probabilities[:, index], color=rgb(colours[label]), lw=1.9, marker=marker)
        axes.lines[-1].set_label(legend_name(label))
    axes.set(ylim=(0, 1.02), ylabel="probability")
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.tick_params(labelbottom=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def draw_strips(
    axes: Axes,
    prediction: ActionPrediction,
    rows: Sequence[Strip],
    span: tuple[float, float],
) -> None:
    """Draws rows of segments, each with its name beside it."""
    colours = colour_of(prediction.labels)
    for row, (_, segments) in enumerate(rows):
        for segment in segments:
            length = segment.end_seconds - segment.start_seconds
            colour = colours.get(segment.label, UNKNOWN)
            axes.broken_barh(
                [(segment.start_seconds, length)], (row - 0.4, 0.8), facecolor=rgb(colour), edgecolor="white"
            )
            text = write_label(axes, segment, row, span)
            text.set_color("black" if is_bright(colour) else "white")
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="seconds")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def write_label(axes: Axes, segment: Segment, row: float, span: tuple[float, float]) -> Text:
    """Writes the label in the middle of a segment, as much of it as has room there."""
    length = segment.end_seconds - segment.start_seconds
    letters = int(length / (span[1] - span[0]) * 100)  # about a hundred small letters fit the whole width
    label = short(segment.label, letters) if letters >= 3 else ""
    text = axes.text(segment.start_seconds + length / 2, row, label, fontsize=8)
    text.set(ha="center", va="center", clip_on=True)
    return text
