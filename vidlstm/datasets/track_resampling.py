"""Tracks at whatever times a video gave, to tracks at a steady step: pure functions on arrays.

A step is a length of time, so that videos of 10 and of 30 frames a second come to mean the same seconds::

    seen at      0.00 0.03 0.07 0.10 ... 0.37 0.40 ... 0.77        1.60 1.63 ...
    steps 0.4 s  |                            |             (0.8)  |
                 0                            1               -    4

A position is what was known of it at that moment: the last row, carried on as it was moving for the little
time that has passed since. Only where a track was not seen for longer do positions go in a straight line from
the row before to the row after, and no forecast starts from there; where the rows lie further apart than the
stated gap, the steps between them are missing, and no window spans them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable

TOLERANCE_SECONDS = 0.002
"""How far before a stretch of rows a step may lie and still take the first: containers round times."""
CARRIED_ON = 0.25
"""Of a step: for how long a track is carried on after a row. Its way is taken over as long a time or more."""
MOST_CARRIED_ON = 0.5
"""The same for slow videos, in which a track is carried on until the next frame could have come."""
ROUNDING = 1e-6
"""Of a step: what floating point leaves of a whole number of them."""
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
    table: TrackTable,
    seconds_R: np.ndarray,
    *,
    step_seconds: float,
    max_gap_seconds: float,
    start_seconds: float | None = None,
) -> TrackTable:
    """A table with a row for each track and step of ``step_seconds``, counted from the first row of all.

    Args:
        table: rows sorted by track and frame.
        seconds_R: ``(R,)`` float64, the time of each row.
        step_seconds: from one step to the next.
        max_gap_seconds: rows of a track that lie further apart are not joined.
        start_seconds: the time of step 0; None is that of the first row.

    Returns:
        Frames are step numbers; ``start_seconds`` is the time of step 0. ``measured_R`` is false where a
        position rests on a row later than the step itself, as in a filled gap. A step of which it is true,
        and those of its track up to a step before, are the same whatever rows follow.

    Raises:
        ValueError: a length of time is not positive.
    """
    if not step_seconds > 0 or not max_gap_seconds > 0:
        raise ValueError(f"a step of {step_seconds} s and gaps of {max_gap_seconds} s: both must be positive")
    first = float(seconds_R.min()) if len(seconds_R) else 0.0
    start = first if start_seconds is None else start_seconds
    place_R = (seconds_R - start) / step_seconds
    slack = min(TOLERANCE_SECONDS / step_seconds, 0.25)
    apart_R = _seconds_to_next(table, seconds_R)
    joined_R = apart_R <= max_gap_seconds + TOLERANCE_SECONDS
    # A row gives the steps from itself up to the next row of its track; the last of a stretch those it is
    # carried on to. The way of the first row is not known.
    opens_R = np.append(True, ~joined_R[:-1])[: len(table)]
    first_R = np.ceil(place_R - np.where(opens_R, slack, ROUNDING)).astype(np.int64)
    until_R = np.where(np.isfinite(apart_R), np.append(first_R[1:], 0), np.iinfo(np.int64).max)
    frame_R = 1.1 * np.diff(place_R, prepend=0.0)
    carried_on_R = np.where(opens_R, 0.0, frame_R.clip(CARRIED_ON, MOST_CARRIED_ON))
    carried_R = np.floor(place_R + np.maximum(carried_on_R + ROUNDING, slack)).astype(np.int64) + 1
    after_R = np.where(joined_R, until_R, np.minimum(carried_R, until_R))
    count_R = np.maximum(after_R - first_R, 0)
    row_S = np.repeat(np.arange(len(table)), count_R)
    step_S = (
        np.repeat(first_R, count_R) + np.arange(len(row_S)) - np.repeat(np.cumsum(count_R) - count_R, count_R)
    )
    next_S = np.where(joined_R, np.arange(len(table)) + 1, np.arange(len(table)))[row_S]
    span_S = np.where(next_S > row_S, place_R[next_S] - place_R[row_S], 1.0)
    share_S = np.clip((step_S - place_R[row_S]) / span_S, 0, 1)
    since_S = step_S - place_R[row_S]
    known_S = (since_S > -ROUNDING) & (since_S <= carried_on_R[row_S] + ROUNDING)
    before_S = _rows_before(place_R, opens_R)[row_S]
    positions = table.positions_RC
    way_S = since_S / np.maximum(place_R[row_S] - place_R[before_S], ROUNDING)
    carried_SC = positions[row_S] + (positions[row_S] - positions[before_S]) * way_S[:, None]
    # A box that shrinks fast is not carried on until nothing is left.
    carried_SC[:, 2:] = np.maximum(carried_SC[:, 2:], positions[row_S][:, 2:] / 2)
    between_SC = positions[row_S] * (1 - share_S)[:, None] + positions[next_S] * share_S[:, None]
    return replace(
        table,
        frames_R=step_S,
        track_ids_R=table.track_ids_R[row_S],
        positions_RC=np.where(known_S[:, None], carried_SC, between_SC),
        frame_step=1,
        seconds_per_step=step_seconds,
        start_seconds=start,
        measured_R=known_S,
    )


def _rows_before(place_R: np.ndarray, opens_R: np.ndarray) -> np.ndarray:
    """Of each row the last of its stretch that is ``CARRIED_ON`` or more before it; else the first."""
    rows = np.arange(len(place_R))
    first_R = np.maximum.accumulate(np.where(opens_R, rows, 0))
    # One line for all stretches, a step apart; longer pauses matter no more than a step.
    line_R = np.cumsum(np.where(opens_R, 1.0, np.minimum(np.diff(place_R, prepend=0.0), 1.0)))
    found = np.searchsorted(line_R, line_R - CARRIED_ON + ROUNDING, "right") - 1
    return np.maximum(found, first_R)


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
