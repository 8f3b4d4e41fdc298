"""Rows of tracked objects to sequences: one a track, filled across short gaps, split at long ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ObjectSequence:
    """A stretch of one track without a gap.

    Attributes:
        track_id: whose.
        features_TF: float16.
        seconds_T: float64, rising by about a step each.
        step_seconds: a step.
    """

    track_id: int
    features_TF: np.ndarray
    seconds_T: np.ndarray
    step_seconds: float

    def __len__(self) -> int:
        return len(self.seconds_T)

    def within(
        self, start_seconds: float | None, end_seconds: float | None, *, minimum_seconds: float
    ) -> tuple[int, int] | None:
        """The steps ``[first, last)`` in a stretch of time; None where they are too few.

        Args:
            start_seconds, end_seconds: None is the beginning or the end of the video.
            minimum_seconds: how long the object must be seen, at least one step.
        """
        start = -np.inf if start_seconds is None else start_seconds
        end = np.inf if end_seconds is None else end_seconds
        first, last = np.searchsorted(self.seconds_T, np.array([start, end]) - 1e-6).tolist()
        if last <= first:
            return None
        seen = self.seconds_T[last - 1] - self.seconds_T[first] + self.step_seconds
        return (first, last) if seen > minimum_seconds - 1e-6 else None

    def __repr__(self) -> str:
        return (
            f"ObjectSequence(track {self.track_id}, {self.features_TF.shape} from {self.seconds_T[0]:.2f} s)"
        )


def object_sequences(
    features_NF: np.ndarray,
    track_id_N: np.ndarray,
    seconds_N: np.ndarray,
    step_N: np.ndarray,
    *,
    step_seconds: float,
    max_gap_seconds: float,
) -> list[ObjectSequence]:
    """The sequences of one video, by the moment they begin and then by track.

    A track seen at 0.0, 0.1, 0.4 and 2.0 s, with steps of 0.1 s and gaps of up to 0.5 s::

        seen     x x     x                 x
        step     0 1 + + 4   |   (split)   20

    Args:
        features_NF: of each row.
        track_id_N: whose row it is.
        seconds_N: when.
        step_N: int64, the number of its step; a track has no step twice.
        step_seconds: how long a step usually is.
        max_gap_seconds: missing steps are filled in a straight line where not more than this lies between the
            rows beside them; elsewhere the track is split.
    """
    order = np.lexsort((step_N, track_id_N))
    features_NF, track_id_N, seconds_N, step_N = (
        values[order] for values in (features_NF, track_id_N, seconds_N, step_N)
    )
    # A gap of one step is none, however short the longest gap may be.
    gap = (np.diff(seconds_N) > max_gap_seconds + 1e-9) & (np.diff(step_N) > 1)
    starts = np.flatnonzero((np.diff(track_id_N) != 0) | gap) + 1
    found = [
        _filled(int(track_id_N[run[0]]), features_NF[run], seconds_N[run], step_N[run], step_seconds)
        for run in np.split(np.arange(len(order)), starts)
        if len(run)
    ]
    return sorted(found, key=lambda s: (s.seconds_T[0], s.track_id))


def _filled(
    track_id: int, features_RF: np.ndarray, seconds_R: np.ndarray, step_R: np.ndarray, step_seconds: float
) -> ObjectSequence:
    step_T = np.arange(step_R[0], step_R[-1] + 1)
    after_T = np.searchsorted(step_R, step_T)  # the row at a step, or the next one
    before_T = after_T - (step_R[after_T] > step_T)
    width_T = np.maximum(step_R[after_T] - step_R[before_T], 1)
    share_T = (step_T - step_R[before_T]) / width_T
    rows = features_RF.astype(np.float32)
    filled = rows[before_T] * (1 - share_T)[:, None] + rows[after_T] * share_T[:, None]
    seconds_T = np.interp(step_T, step_R, seconds_R)
    return ObjectSequence(track_id, filled.astype(np.float16), seconds_T, step_seconds)
