"""What a prediction says, at one moment and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from vidlstm.structures import ActionPrediction, ObjectActions, Segment

NINETY = float(np.sqrt(-2 * np.log(0.1)))
"""Radius, in standard deviations, of the circle that holds 90 % of a Gaussian in the plane."""

NOBODY, NOBODY_LONG_ENOUGH = "nobody found", "nobody seen for long enough"
"""What is said in place of an action."""

ROW_SEGMENTS = 60
"""So many segments can be told apart in a row of a timeline."""

MOST_ROWS = 6
"""Of segments that overlap, in one timeline."""

SLACK = 1e-6
"""Seconds that segments which touch may seem to overlap."""

Strip = tuple[str, Sequence[Segment]]
"""A name, and the segments of its row in a timeline."""


def strips_of(
    segments: Sequence[Segment], truth: Sequence[Segment] | None, *, name: str = "predicted"
) -> list[Strip]:
    """The rows of a timeline: what was predicted, and what is true where that is known.

    Segments that overlap stand in several rows, of which the first has the name.
    """
    both = [(name, segments)] + ([("truth", tuple(truth))] if truth is not None else [])
    return [
        (title if n == 0 else "", row) for title, some in both for n, row in enumerate(side_by_side(some))
    ]


def side_by_side(segments: Sequence[Segment], most: int = MOST_ROWS) -> list[Sequence[Segment]]:
    """Segments in rows in which none overlaps another; a label goes on in the row it was in last, if it can.

    >>> [[s.label for s in row] for row in side_by_side([Segment(0, 2, "a", 1), Segment(1, 3, "b", 1)])]
    [['a'], ['b']]

    Args:
        segments: in time order.
        most: rows; what has no room in them is laid over the last.
    """
    rows: list[list[Segment]] = [[]]
    for segment in segments:
        free = [row for row in rows if not row or row[-1].end_seconds <= segment.start_seconds + SLACK]
        if not free and len(rows) < most:
            rows.append([])
            free = rows[-1:]
        known = [row for row in free if row and row[-1].label == segment.label]
        (known or free or rows[-1:])[0].append(segment)
    return list(rows)


def window_middles(prediction: ActionPrediction) -> np.ndarray:
    """The middle ``(W,)`` of each window, seconds."""
    middles: np.ndarray = (prediction.window_start_seconds + prediction.window_end_seconds) / 2
    return middles


def probabilities_at(prediction: ActionPrediction, seconds: float) -> np.ndarray:
    """Class probabilities ``(K,)`` at a time: between the middles of two windows they go straight from one
    window's to the next one's, and outside all middles they stay. Zeros where there is no window.
    """
    middles = window_middles(prediction)
    if not len(middles):
        return np.zeros(len(prediction.labels))
    after = int(np.searchsorted(middles, seconds))
    if after in (0, len(middles)):
        return np.asarray(prediction.window_probabilities[min(after, len(middles) - 1)], np.float64)
    a, b = middles[after - 1], middles[after]
    share = (seconds - a) / (b - a)
    rows = prediction.window_probabilities[after - 1 : after + 1]
    rows = np.where(np.isnan(rows), rows[::-1], rows)  # where nobody is judged in one of the two
    return np.asarray(rows[0] * (1 - share) + rows[1] * share, np.float64)


def attention_at(
    prediction: ActionPrediction, attention_W: np.ndarray, seconds: float | np.ndarray
) -> np.ndarray:
    """An object's share in the scene at one or more times, of the shape of ``seconds``: as
    :func:`probabilities_at`, on a straight line from the middle of one window to that of the next.
    """
    if not len(attention_W):
        return np.zeros(np.shape(seconds))
    return np.asarray(np.interp(seconds, window_middles(prediction), attention_W))


def certainty(segment: Segment) -> float:
    """How full a segment's bar is drawn, 0 to 1: its probability; 0 where that is not known."""
    return float(np.clip(np.nan_to_num(segment.probability), 0.0, 1.0))


def within(segments: Sequence[Segment], start: float, end: float) -> list[Segment]:
    """What of the segments lies between two times."""
    return [
        replace(s, start_seconds=max(s.start_seconds, start), end_seconds=min(s.end_seconds, end))
        for s in segments
        if s.start_seconds < end and s.end_seconds > start
    ]


def judged_scene(actions: ObjectActions) -> ActionPrediction:
    """The scene, without what is said of times at which no object is judged: no segments there, and NaN for
    the windows' probabilities.
    """
    scene = actions.scene
    starts = {float(t) for track in actions.tracks.values() for t in track.window_start_seconds}
    judged_W = np.array([float(t) in starts for t in scene.window_start_seconds], bool)
    edges = zip(scene.window_start_seconds[judged_W], scene.window_end_seconds[judged_W], strict=True)
    stretches: list[list[float]] = []
    for start, end in edges:
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = float(end)
        else:
            stretches.append([float(start), float(end)])
    return replace(
        scene,
        window_probabilities=np.where(judged_W[:, None], scene.window_probabilities, np.nan),
        segments=tuple(s for start, end in stretches for s in within(scene.segments, start, end)),
    )


def nobody(actions: ObjectActions) -> str:
    """Why no object of a video is judged, in words; empty where one is."""
    if actions.tracks:
        return ""
    return NOBODY_LONG_ENOUGH if actions.short_tracks else NOBODY


def segment_at(segments: Sequence[Segment], seconds: float) -> Segment | None:
    """The segment that holds a time; of two that meet there, the later one."""
    holding = [s for s in segments if s.start_seconds <= seconds <= s.end_seconds]
    return holding[-1] if holding else None


def time_span(prediction: ActionPrediction, truth: Sequence[Segment] | None = None) -> tuple[float, float]:
    """From the first to the last moment that a prediction or the truth speaks of, seconds; never empty."""
    segments = [*prediction.segments, *(truth or [])]
    starts = [*prediction.window_start_seconds.tolist(), *(s.start_seconds for s in segments)]
    ends = [*prediction.window_end_seconds.tolist(), *(s.end_seconds for s in segments)]
    start, end = min(starts, default=0.0), max(ends, default=1.0)
    return start, max(end, start + 1e-3)


def parts_of(
    span: tuple[float, float], strips: Sequence[Strip], *, most: int | None = None
) -> list[tuple[float, float]]:
    """Start and end of each row of time, seconds: one, or more of one length where some strip has more than
    ``ROW_SEGMENTS`` segments, which would be too narrow; not more than ``most`` rows.
    """
    rows = max(1, *(-(-len(segments) // ROW_SEGMENTS) for _, segments in strips))
    return list(pairwise(np.linspace(*span, min(rows, most or rows) + 1).tolist()))


def clock(seconds: float) -> str:
    """A time for people: ``12.3 s``, ``4:05.0``, ``1:04:05``."""
    tenths = round(abs(seconds) * 10)
    sign = "-" if seconds < 0 and tenths else ""
    whole, tenth = divmod(tenths, 10)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{sign}{rest}.{tenth} s"
    if minutes < 60:
        return f"{sign}{minutes}:{rest:02d}.{tenth}"
    return f"{sign}{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
