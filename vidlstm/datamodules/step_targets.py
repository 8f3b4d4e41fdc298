"""Timed labels to what is to be learned at every step of a video's features."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.datasets.timed import TimedVideo

UNKNOWN = -1
"""The target of a step that nothing is to be learned from."""
SLACK_SECONDS = 1e-6
"""Times are sums of decimal fractions: a label that starts at a step's time holds that step."""


def step_targets(
    video: TimedVideo,
    times_T: np.ndarray,
    labels: Sequence[str],
    *,
    background: str | None = None,
    multi_label: bool = False,
) -> np.ndarray:
    """The targets of one video. A label holds the steps from its start up to, and not at, its end.

    Args:
        video: with its labels.
        times_T: of the steps, in the container's own clock.
        labels: the K class names.
        background: the class of steps without a label; None leaves them unknown.
        multi_label: labels overlap; a step without any has none of the classes.

    Returns:
        int64 class numbers ``(T,)``, where labels overlap that of the one that begins later; with
        ``multi_label`` 0 and 1 ``(T, K)``.

    Raises:
        DatasetError: the video has labels, and not one of them holds a step.
    """
    number = {label: k for k, label in enumerate(labels)}
    nothing = UNKNOWN if background is None else number[background]
    targets = (
        np.zeros((len(times_T), len(labels)), np.int64) if multi_label else np.full(len(times_T), nothing)
    )
    lost = []
    for timed in video.labels:
        first, last = np.searchsorted(
            times_T, np.array([timed.start_seconds, timed.end_seconds]) - SLACK_SECONDS
        )
        if last == first:
            lost.append(timed)
        elif multi_label:
            targets[first:last, number[timed.label]] = 1
        else:
            targets[first:last] = number[timed.label]
    if lost and len(lost) == len(video.labels):
        raise DatasetError(
            f"{video.name}: none of its {len(lost)} labels holds a frame; the first is from "
            f"{lost[0].start_seconds:g} s, and the video is from {_span(times_T)}. Compare the labels with "
            "the video's own times"
        )
    if lost:
        warnings.warn(
            f"{video.name}: {len(lost)} of {len(video.labels)} labels hold no step, such as {lost[0].label} "
            f"at {lost[0].start_seconds:g} s; they are too short for `sampling.fps`, or outside the video "
            f"({_span(times_T)})",
            stacklevel=2,
        )
    return targets.astype(np.int64)


def _span(times_T: np.ndarray) -> str:
    return f"{times_T[0]:.2f} to {times_T[-1]:.2f} s" if len(times_T) else "nowhere to nowhere"


def overlap_seconds(video: TimedVideo) -> float:
    """For how long more than one label holds."""
    starts, ends = ([getattr(t, edge) for t in video.labels] for edge in ("start_seconds", "end_seconds"))
    times = np.array([*starts, *ends])
    order = np.argsort(times, kind="stable")
    holding = np.repeat([1, -1], len(starts))[order].cumsum()
    return float((np.diff(times[order]) * (holding[:-1] > 1)).sum())
