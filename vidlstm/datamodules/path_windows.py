"""Tracks to windows of a fixed number of steps, and the neighbours of each: pure functions on arrays.

::

    track 7   frames  0 10 20 30 40 50      steps=4, stride=1
                      [0 10 20 30]
                        [10 20 30 40]
                           [20 30 40 50]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.datasets.tracks import TrackTable


@dataclass(frozen=True, eq=False)
class PathWindows:
    """Windows over the tracks of one or more recordings.

    Attributes:
        paths_NTC: ``(N, T, C)`` float64, in the recordings' own coordinates.
        recording_N: ``(N,)`` int64, the position of the recording in the list given.
        track_id_N: ``(N,)`` int64.
        start_frame_N: ``(N,)`` int64, the frame of the first step.
    """

    paths_NTC: np.ndarray
    recording_N: np.ndarray
    track_id_N: np.ndarray
    start_frame_N: np.ndarray

    def __len__(self) -> int:
        return len(self.paths_NTC)

    def __repr__(self) -> str:
        return f"PathWindows({self.paths_NTC.shape})"

    def scene_of(self) -> np.ndarray:
        """A number ``(N,)`` int64 for each set of windows that begin together in one recording."""
        pairs = np.stack([self.recording_N, self.start_frame_N], 1)
        number: np.ndarray = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        return number


def cut_windows(
    tables: Sequence[TrackTable],
    *,
    steps: int,
    stride: int = 1,
    minimum_tracks: int = 1,
    seen_at: int | None = None,
) -> PathWindows:
    """Every run of ``steps`` consecutive steps of every track.

    Args:
        tables: recordings of one unit and rate.
        steps: T, observed and predicted steps together.
        stride: start a window every so many steps, counted from the recording's first frame.
        minimum_tracks: keep windows that begin together only where there are at least so many complete ones.
            1 is the rule of the trajectory-only papers, 2 that of Social GAN's published loader.
        seen_at: the step that forecasts start from; windows are left out where it was not seen but filled
            in from what came after, which would tell the forecaster of the future.

    Raises:
        ValueError: fewer than one step, stride or track asked for.
    """
    if min(steps, stride, minimum_tracks) < 1:
        raise ValueError(
            f"steps {steps}, stride {stride} and minimum_tracks {minimum_tracks} must be at least 1"
        )
    parts = [_cut_one(table, steps, stride, minimum_tracks, seen_at) for table in tables]
    width = tables[0].positions_RC.shape[1] if tables else 2
    return PathWindows(
        paths_NTC=np.concatenate([p for p, _, _ in parts] or [np.zeros((0, steps, width))]),
        recording_N=np.repeat(np.arange(len(parts)), [len(p) for p, _, _ in parts]),
        track_id_N=np.concatenate([i for _, i, _ in parts] or [np.zeros(0, np.int64)]),
        start_frame_N=np.concatenate([f for _, _, f in parts] or [np.zeros(0, np.int64)]),
    )


def _cut_one(
    table: TrackTable, steps: int, stride: int, minimum_tracks: int, seen_at: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = _window_starts(table, steps)
    if seen_at is not None and table.measured_R is not None:
        starts = starts[table.measured_R[starts + seen_at]]
    since_first = table.frames_R[starts] - (table.frames_R.min() if len(table) else 0)
    starts = starts[since_first % (stride * table.frame_step) == 0]
    _, group, counts = np.unique(table.frames_R[starts], return_inverse=True, return_counts=True)
    starts = starts[counts[group] >= minimum_tracks]
    rows = starts[:, None] + np.arange(steps)
    return table.positions_RC[rows], table.track_ids_R[starts], table.frames_R[starts]


def _window_starts(table: TrackTable, steps: int) -> np.ndarray:
    """Rows from which ``steps`` rows of one track follow without a gap (rows are sorted by track, frame)."""
    first = np.arange(max(len(table) - steps + 1, 0))
    last = first + steps - 1
    same_track = table.track_ids_R[first] == table.track_ids_R[last]
    no_gap = table.frames_R[last] - table.frames_R[first] == (steps - 1) * table.frame_step
    starts: np.ndarray = first[same_track & no_gap]
    return starts


def find_neighbours(
    tables: Sequence[TrackTable], windows: PathWindows, *, observed: int, limit: int
) -> np.ndarray:
    """The observed paths of the nearest others who are seen at each window's last observed step.

    Args:
        tables: the recordings that ``windows`` were cut from, in the same order.
        windows: N windows.
        observed: how many of the window's first steps are seen.
        limit: M, at most so many neighbours, nearest first.

    Returns:
        ``(N, M, observed, 2)`` float64 positions; NaN where there is no neighbour or it was not there yet.
    """
    found = np.full((len(windows), limit, observed, 2), np.nan)
    for number, table in enumerate(tables):
        mine = np.flatnonzero(windows.recording_N == number)
        if len(mine) and limit:
            found[mine] = _neighbours_in(table, windows, mine, observed, limit)
    return found


def _neighbours_in(
    table: TrackTable, windows: PathWindows, mine: np.ndarray, observed: int, limit: int
) -> np.ndarray:
    now_W = windows.start_frame_N[mine] + (observed - 1) * table.frame_step
    window_P, row_P = _pairs_in_frame(table, now_W)
    others = table.track_ids_R[row_P] != windows.track_id_N[mine][window_P]
    if table.measured_R is not None:
        others &= table.measured_R[row_P]
    window_P, row_P = window_P[others], row_P[others]
    here_P2 = windows.paths_NTC[mine, observed - 1, :2][window_P]
    distance_P = np.linalg.norm(table.positions_RC[row_P, :2] - here_P2, axis=1)
    order = np.lexsort((distance_P, window_P))
    window_P, row_P = window_P[order], row_P[order]
    rank_P = np.arange(len(window_P)) - np.searchsorted(window_P, window_P)
    near = rank_P < limit
    found = np.full((len(mine), limit, observed, 2), np.nan)
    found[window_P[near], rank_P[near]] = _observed_before(table, row_P[near], observed)
    return found


def _pairs_in_frame(table: TrackTable, frame_W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every (window, row) such that the row lies in the window's frame."""
    by_frame = np.argsort(table.frames_R, kind="stable")
    frames = table.frames_R[by_frame]
    begin, end = np.searchsorted(frames, frame_W, "left"), np.searchsorted(frames, frame_W, "right")
    count = end - begin
    window_P = np.repeat(np.arange(len(frame_W)), count)
    within_P = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return window_P, by_frame[np.repeat(begin, count) + within_P]


def _observed_before(table: TrackTable, row_P: np.ndarray, observed: int) -> np.ndarray:
    """The ``observed`` steps up to each row; NaN before the track began or where it has a gap."""
    back_T = np.arange(observed - 1, -1, -1)
    rows_PT = row_P[:, None] - back_T
    inside = rows_PT >= 0
    rows_PT = np.where(inside, rows_PT, 0)
    same = table.track_ids_R[rows_PT] == table.track_ids_R[row_P][:, None]
    on_time = table.frames_R[row_P][:, None] - table.frames_R[rows_PT] == back_T * table.frame_step
    return np.where((inside & same & on_time)[..., None], table.positions_RC[rows_PT, :2], np.nan)
