"""A picture of what each tracked object did over time, and of who decided what the scene is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.render.moments import (
    attention_at,
    certainty,
    judged_scene,
    nobody,
    strips_of,
    time_span,
    window_middles,
)
from vidlstm.render.palette import UNKNOWN, Colour, colour_of
from vidlstm.render.plot.action_timeline import (
    BARS,
    PALE,
    draw_curves,
    draw_strips,
    name_colours,
    show_times,
    write_label,
)
from vidlstm.render.plot.canvas import picture_file, rgb
from vidlstm.render.words import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from vidlstm.structures import ActionPrediction, ObjectActions, Segment

ROWS = 40
"""So many tracks are drawn at most: those with the most say in the scene."""
_ROW_HEIGHT = 0.27  # inches
_BAR, _THIN = 0.84, 0.1  # of a row: a bar, and the band of a track with no say


def plot_object_timelines(
    actions: ObjectActions, path: str | Path, truth: Sequence[Segment] | None = None
) -> None:
    """Draws the scene's probabilities and segments, and under them a row a track, into a PNG file.

    A track's row has its segments in the colours of their labels, each as high as its probability; so much of
    it is full as the track's share in the scene at that time. Of times at which nobody is judged, the scene's
    rows say nothing.

    Args:
        actions: what to draw.
        path: the PNG file.
        truth: true segments of the scene, for a second strip.

    Raises:
        OutputError: the file cannot be written.
    """
    shown = most_attended(actions, ROWS)
    judged = judged_scene(actions)
    scene = strips_of(judged.segments, truth, name="scene")
    span = time_span(actions.scene, [*(truth or ()), *(s for t in shown for s in actions.tracks[t].segments)])
    heights = [2.4, 0.5 * len(scene), max(0.6, _ROW_HEIGHT * len(shown))]
    with picture_file(path, 11.0, sum(heights) + 1.5, 110) as figure:
        curves, strips, rows = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        draw_curves(curves, judged)
        draw_strips(strips, judged, scene, span)
        strips.tick_params(bottom=False)
        strips.spines["bottom"].set_visible(False)
        draw_tracks(rows, actions, shown, span)
        name_colours(
            rows,
            actions.labels,
            [*scene, *((str(t), actions.tracks[t].segments) for t in shown)],
            curves.get_legend_handles_labels()[1],
            most=len(shown) + 3,  # rows are higher than names
        )
        show_times(span, rows, curves, strips)
        curves.set_title(short(Path(actions.video).name or actions.video, 90), loc="left", fontsize=11)
        figure.supxlabel(remarks(actions, len(shown)), fontsize=9, color="0.35")


def most_attended(actions: ObjectActions, count: int) -> list[int]:
    """The ``count`` tracks with the most say in the scene, summed over their windows; in order of time."""
    say = {track: float(np.sum(shares)) for track, shares in actions.attention.items()}
    chosen = sorted(actions.tracks, key=lambda t: (-say.get(t, 0.0), t))[:count]
    return sorted(chosen, key=lambda t: (time_span(actions.tracks[t])[0], t))


def highest_share(actions: ObjectActions) -> float:
    """The most say that any track ever has."""
    return max((float(np.max(shares, initial=0.0)) for shares in actions.attention.values()), default=0.0)


def remarks(actions: ObjectActions, shown: int) -> str:
    """How to read the rows, and what is not in them, in words."""
    said = [BARS]
    if shown:
        full = f"{highest_share(actions):.2f}"
        said = [
            f"Bars are as high as their labels are probable. The full band in a track's bar is its say "
            f"(attention) in the scene; {full} fills it."
        ]
    if shown < len(actions.tracks):
        said.append(f"{len(actions.tracks) - shown} more tracks, with less say in the scene, are not shown.")
    if actions.short_tracks:
        some = [f"{track} ({seconds:.1f} s)" for track, seconds in sorted(actions.short_tracks.items())]
        more = f" and {len(some) - 8} more" if len(some) > 8 else ""
        said.append(f"Not seen for long enough to be judged: {', '.join(some[:8])}{more}.")
    return "\n".join(said)


def draw_tracks(axes: Axes, actions: ObjectActions, shown: Sequence[int], span: tuple[float, float]) -> None:
    """Draws a row a track, with its number and for how long it is judged at the left."""
    colours, full = colour_of(actions.labels), max(highest_share(actions), 1e-12)
    for row, track in enumerate(shown):
        for segment in actions.tracks[track].segments:
            times, shares_Q = band(actions.tracks[track], actions.attention[track], segment)
            colour = colours.get(segment.label, UNKNOWN)
            height = _BAR * max(certainty(segment), 2 * _THIN)
            draw_bar(axes, times, shares_Q / full, row + _BAR / 2, height, colour)
            write_label(axes, segment, row, span, fontsize=7)
    seconds = [sum(s.end_seconds - s.start_seconds for s in actions.tracks[t].segments) for t in shown]
    names = [f"{track}  {time:5.1f} s" for track, time in zip(shown, seconds, strict=True)]
    axes.set(ylim=(max(len(shown), 1) - 0.5, -0.5), ylabel="track")
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)
    if not shown:
        axes.text(0.5, 0.5, nobody(actions), transform=axes.transAxes, ha="center", color="0.35")


def band(
    prediction: ActionPrediction, attention_W: np.ndarray, segment: Segment
) -> tuple[np.ndarray, np.ndarray]:
    """Times ``(Q,)`` from a segment's start to its end, and the track's share in the scene at them."""
    middles = window_middles(prediction)
    start, end = segment.start_seconds, segment.end_seconds
    times = np.array([start, *middles[(middles > start) & (middles < end)], end])
    return times, attention_at(prediction, attention_W, times)


def draw_bar(
    axes: Axes, times_Q: np.ndarray, level_Q: np.ndarray, foot: float, height: float, colour: Colour
) -> None:
    """Draws a pale bar that stands on ``foot``, and in it a full band up to a level of 0 to 1."""
    axes.fill_between(times_Q, foot - height, foot, color=rgb(colour), alpha=PALE, linewidth=0)
    height_Q = _THIN + (height - _THIN) * level_Q
    axes.fill_between(times_Q, foot - height_Q, foot, color=rgb(colour), linewidth=0)
