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
        seconds_T: float64, rising by one step each.
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
    *,
    step_seconds: float,
    max_gap_seconds: float,
) -> list[ObjectSequence]:
    """The sequences of one video, by the moment they begin and then by track.

    A track seen at 0.0, 0.1, 0.4 and 2.0 s, with steps of 0.1 s and gaps of up to 0.5 s::

        seen     x x     x                 x
        step     1 2 + + 3   |   (split)   1

    Args:
        features_NF: of each row.
        track_id_N: whose row it is.
        seconds_N: when.
        step_seconds: the usual time from one row of a track to the next.
        max_gap_seconds: missing steps are filled in a straight line where not more than this lies between the
            rows beside them; elsewhere the track is split.
    """
    found: list[ObjectSequence] = []
    for track_id in np.unique(track_id_N).tolist():
        rows = np.flatnonzero(track_id_N == track_id)
        rows = rows[np.argsort(seconds_N[rows], kind="stable")]
        steps = np.rint(np.diff(seconds_N[rows]) / step_seconds).astype(np.int64)
        # A gap of one step is none, however short the longest gap may be.
        split = np.flatnonzero((np.diff(seconds_N[rows]) > max_gap_seconds + 1e-9) & (steps > 1)) + 1
        for run in np.split(rows, split):
            found.append(_filled(track_id, features_NF[run], seconds_N[run], step_seconds))
    return sorted(found, key=lambda s: (s.seconds_T[0], s.track_id))


def _filled(
    track_id: int, features_RF: np.ndarray, seconds_R: np.ndarray, step_seconds: float
) -> ObjectSequence:
    steps = np.maximum(np.rint(np.diff(seconds_R) / step_seconds).astype(np.int64), 1)
    place_R = np.concatenate([[0], np.cumsum(steps)])
    place_T = np.arange(place_R[-1] + 1)
    before_T = np.clip(np.searchsorted(place_R, place_T, side="right") - 1, 0, max(0, len(place_R) - 2))
    after_T = np.minimum(before_T + 1, len(place_R) - 1)
    width_T = np.maximum(place_R[after_T] - place_R[before_T], 1)
    share_T = (place_T - place_R[before_T]) / width_T
    rows = features_RF.astype(np.float32)
    filled = rows[before_T] * (1 - share_T)[:, None] + rows[after_T] * share_T[:, None]
    seconds_T = np.interp(place_T, place_R, seconds_R)
    return ObjectSequence(track_id, filled.astype(np.float16), seconds_T, step_seconds)
