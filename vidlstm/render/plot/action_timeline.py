"""A picture of what was said when: probabilities over time, and the segments under them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from vidlstm.render.moments import (
    Strip,
    certainty,
    clock,
    parts_of,
    strips_of,
    time_span,
    window_middles,
    within,
)
from vidlstm.render.palette import UNKNOWN, colour_of
from vidlstm.render.plot.canvas import legend_name, picture_file, rgb
from vidlstm.render.words import short
from vidlstm.structures import ActionPrediction, Segment

PALE = 0.3
"""The strength of a segment's ground; the bar on it is full."""
BARS = "A bar is as full as its label is probable."
_ROWS = 8  # of time, at most
_CLOCK = 120.0  # longer stretches have minutes at their ticks
_STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
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
    strips = strips_of(prediction.segments, truth)
    parts = parts_of(time_span(prediction, truth), strips, most=_ROWS)
    heights = [3.2 if len(parts) == 1 else 1.6, 0.6 * len(strips)] * len(parts)
    with picture_file(path, 11.0, sum(heights) + 0.6 + 0.3 * len(parts), 110) as figure:
        axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights).ravel()
        for part, curves, bars in zip(parts, axes[::2], axes[1::2], strict=True):
            draw_curves(curves, prediction, legend=part == parts[0])
            draw_strips(bars, prediction, [(name, within(some, *part)) for name, some in strips], part)
            show_times(part, bars, curves)
        for bars in axes[1:-1:2]:
            bars.set_xlabel("")
        name_colours(axes[1], prediction.labels, strips, axes[0].get_legend_handles_labels()[1])
        axes[0].set_title(short(Path(prediction.video).name or prediction.video, 90), loc="left", fontsize=11)
        figure.supxlabel(BARS, fontsize=9, color="0.35")


def show_times(span: tuple[float, float], named: Axes, *others: Axes) -> None:
    """Gives axes of one span the same ticks, at whole minutes where it is long; one of them names them."""
    length = span[1] - span[0]
    for axes in (named, *others):
        axes.set_xlim(*span)
        if length > _CLOCK:
            axes.xaxis.set_major_locator(
                MultipleLocator(next((s for s in _STEPS if 12 * s >= length), length / 8))
            )
            axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds).removesuffix(".0"))
        axes.tick_params(labelbottom=axes is named)
    named.set_xlabel("seconds" if length <= _CLOCK else "time")


def draw_curves(axes: Axes, prediction: ActionPrediction, *, legend: bool = True) -> None:
    """Draws the probabilities of the likeliest classes at the middles of the windows, but for NaN."""
    middles = window_middles(prediction)
    probabilities, colours = prediction.window_probabilities, colour_of(prediction.labels)
    peaks = np.nan_to_num(probabilities).max(axis=0) if len(middles) else np.zeros(len(prediction.labels))
    chosen = sorted(np.argsort(-peaks, kind="stable")[:_LINES].tolist())
    if len(prediction.labels) > len(chosen):
        rest = probabilities.sum(axis=1) - probabilities[:, chosen].sum(axis=1)
        axes.fill_between(
            middles, rest, color="0.88", linewidth=0, label=f"{len(peaks) - len(chosen)} others"
        )
    marker = "o" if len(middles) == 1 else "." if np.isnan(probabilities).any() else ""
    for index in chosen:
        label = prediction.labels[index]
        axes.plot(middles, probabilities[:, index], color=rgb(colours[label]), lw=1.9, marker=marker)
        axes.lines[-1].set_label(legend_name(label))
    axes.set(ylim=(0, 1.02), ylabel="probability")
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.tick_params(labelbottom=False)
    if legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def draw_strips(
    axes: Axes,
    prediction: ActionPrediction,
    rows: Sequence[Strip],
    span: tuple[float, float],
) -> None:
    """Draws rows of segments, each as high as its probability, with the rows' names beside them."""
    colours, bars, looks = colour_of(prediction.labels), list[list[tuple[float, float]]](), []
    for row, (_, segments) in enumerate(rows):
        for segment in segments:
            start, end, foot = segment.start_seconds, segment.end_seconds, row + 0.4
            colour, edge = rgb(colours.get(segment.label, UNKNOWN)), end - start > 0.005 * (span[1] - span[0])
            for height, strength in ((0.8, PALE), (0.8 * certainty(segment), 1.0)):
                bars.append([(start, foot - height), (start, foot), (end, foot), (end, foot - height)])
                looks.append(((*colour, strength), 0.8 * edge))  # narrow ones would be all edge
            write_label(axes, segment, row, span)
    if bars:  # all at once: an hour has a thousand
        faces, widths = zip(*looks, strict=True)
        axes.add_collection(PolyCollection(bars, facecolors=faces, edgecolors="white", linewidths=widths))
        axes.autoscale_view()
    axes.set(ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def write_label(
    axes: Axes, segment: Segment, row: float, span: tuple[float, float], *, fontsize: int = 8
) -> None:
    """Writes the label in the middle of a segment, as much of it as has room there."""
    length = segment.end_seconds - segment.start_seconds
    letters = int(length / (span[1] - span[0]) * 100)  # about a hundred small letters fit the whole width
    if letters >= 3 and (label := short(segment.label, letters)):
        text = axes.text(segment.start_seconds + length / 2, row, label, fontsize=fontsize)
        text.set(ha="center", va="center", clip_on=True)
        text.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.85)])


def name_colours(
    axes: Axes, labels: Sequence[str], rows: Sequence[Strip], named: Sequence[str], *, most: int = 12
) -> None:
    """A legend of the labels that segments have and another legend has not: they may have no room in them."""
    used = list(dict.fromkeys(segment.label for _, segments in rows for segment in segments))
    colours = colour_of(labels)
    order = [label for label in labels if label in used] + [label for label in used if label not in colours]
    missing = [label for label in order if legend_name(label) not in named]
    patches = [Patch(color=rgb(colours.get(x, UNKNOWN)), label=legend_name(x)) for x in missing]
    if len(patches) > most:
        patches[most - 1 :] = [Patch(color="white", label=f"and {len(patches) - most + 1} more")]
    if patches:
        axes.legend(handles=patches, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
