"""Tracks at whatever times a video gave, to tracks at a steady step: pure functions on arrays.

A step is a length of time, so that videos of 10 and of 30 frames a second come to mean the same seconds::

    seen at      0.00 0.03 0.07 0.10 ... 0.37 0.40 ... 0.77        1.60 1.63 ...
    steps 0.4 s  |                            |             (0.8)  |
                 0                            1               -    4

Between two rows of a track positions go in a straight line, unless the rows lie further apart than the stated
gap: then the steps between them are missing, and no window spans them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable

TOLERANCE_SECONDS = 0.002
"""How far outside a stretch of rows a step may lie and still take the nearest: containers round times."""
LOOK_AHEAD = 0.25
"""A forecast may start from a position that rests on a row so much of a step later, and no more: it would
know the future."""
FRAMES_APART = 1.5
"""Rows at most so many frames apart have no frame missing between them."""


@dataclass(frozen=True)
class Gap:
    """A stretch in which a track was not seen.

    Attributes:
        track_id: whose.
        start_seconds, end_seconds: the last time before and the first after.
        filled: whether it is short enough to be filled with a straight line.
    """

    track_id: int
    start_seconds: float
    end_seconds: float
    filled: bool


def resample(
    table: TrackTable, seconds_R: np.ndarray, *, step_seconds: float, max_gap_seconds: float
) -> TrackTable:
    """A table with a row for each track and step of ``step_seconds``, counted from the first row of all.

    Args:
        table: rows sorted by track and frame.
        seconds_R: ``(R,)`` float64, the time of each row.
        step_seconds: from one step to the next.
        max_gap_seconds: rows of a track that lie further apart are not joined.

    Returns:
        Frames are step numbers; ``start_seconds`` is the time of step 0. ``measured_R`` is false where a
        position rests on a row more than ``LOOK_AHEAD`` of a step later, as in a filled gap.

    Raises:
        ValueError: a length of time is not positive.
    """
    if not step_seconds > 0 or not max_gap_seconds > 0:
        raise ValueError(f"a step of {step_seconds} s and gaps of {max_gap_seconds} s: both must be positive")
    start = float(seconds_R.min()) if len(seconds_R) else 0.0
    place_R = (seconds_R - start) / step_seconds
    slack = min(TOLERANCE_SECONDS / step_seconds, 0.25)
    apart_R = _seconds_to_next(table, seconds_R)
    joined_R = apart_R <= max_gap_seconds + TOLERANCE_SECONDS
    # A row gives the steps from itself up to the next row of its track; the last of a stretch only its own.
    opens_R = np.append(True, ~joined_R[:-1])[: len(table)]
    first_R = np.ceil(place_R - np.where(opens_R, slack, 1e-9)).astype(np.int64)
    after_R = np.floor(place_R + slack).astype(np.int64) + 1
    after_R[joined_R] = np.append(first_R[1:], 0)[joined_R]
    count_R = np.maximum(after_R - first_R, 0)
    row_S = np.repeat(np.arange(len(table)), count_R)
    step_S = (
        np.repeat(first_R, count_R) + np.arange(len(row_S)) - np.repeat(np.cumsum(count_R) - count_R, count_R)
    )
    next_S = np.where(joined_R, np.arange(len(table)) + 1, np.arange(len(table)))[row_S]
    span_S = np.where(next_S > row_S, place_R[next_S] - place_R[row_S], 1.0)
    share_S = np.clip((step_S - place_R[row_S]) / span_S, 0, 1)
    on_a_row_S = share_S * span_S <= slack
    soon_S = (1 - share_S) * span_S <= LOOK_AHEAD + slack
    return replace(
        table,
        frames_R=step_S,
        track_ids_R=table.track_ids_R[row_S],
        positions_RC=table.positions_RC[row_S] * (1 - share_S)[:, None]
        + table.positions_RC[next_S] * share_S[:, None],
        frame_step=1,
        seconds_per_step=step_seconds,
        start_seconds=start,
        measured_R=on_a_row_S | soon_S,
    )


def gaps_in(table: TrackTable, seconds_R: np.ndarray, *, max_gap_seconds: float) -> list[Gap]:
    """Every stretch in which a track misses frames, by track and time."""
    apart_R = _seconds_to_next(table, seconds_R)
    missing = np.isfinite(apart_R) & (apart_R > FRAMES_APART * seconds_per_frame(table, seconds_R))
    return [
        Gap(
            int(table.track_ids_R[row]),
            float(seconds_R[row]),
            float(seconds_R[row + 1]),
            bool(apart_R[row] <= max_gap_seconds + TOLERANCE_SECONDS),
        )
        for row in np.flatnonzero(missing)
    ]


def seconds_per_frame(table: TrackTable, seconds_R: np.ndarray) -> float:
    """The median time between frames that follow each other; infinite where there are not two."""
    frames, first = np.unique(table.frames_R, return_index=True)
    steps = np.diff(seconds_R[first]) / np.diff(frames)
    return float(np.median(steps)) if len(steps) else float("inf")


def _seconds_to_next(table: TrackTable, seconds_R: np.ndarray) -> np.ndarray:
    """Time from each row to the next one of its track; infinite for the last."""
    apart_R = np.full(len(table), np.inf)
    same = table.track_ids_R[1:] == table.track_ids_R[:-1]
    apart_R[:-1][same] = np.diff(seconds_R)[same]
    return apart_R
