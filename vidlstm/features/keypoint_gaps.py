"""Keypoints that were not measured: filled in from the moments beside, where these are near enough.

A network that does not find a wrist writes 0, 0 with confidence 0. Taken for a place, or for a certainty, its
coming and going would be a movement.
"""

from __future__ import annotations

import numpy as np


def measured(keypoints_NJ3: np.ndarray) -> np.ndarray:
    """Which keypoints ``(N, J)`` were found: with a confidence, and not at the very corner of the picture."""
    return (keypoints_NJ3[..., 2] > 0) & keypoints_NJ3[..., :2].any(-1)


def filled(
    keypoints_NJ3: np.ndarray, track_id_N: np.ndarray, seconds_N: np.ndarray, *, most_seconds: float
) -> np.ndarray:
    """Keypoints in which what is missing for a while is filled in; what was measured stays as it is.

    Seen at 0.0, 0.2 and 2.0 s, and gaps of up to 1 s::

        0.0   0.1   0.2   0.3 ... 1.2   1.3 ...  2.0
        seen  line  seen  held          missing  seen

    Args:
        keypoints_NJ3: x, y in pixels and confidence, of any tracks.
        track_id_N: whose.
        seconds_N: when.
        most_seconds: between two measurements no further apart, place and confidence go in a straight line;
            at the ends of a longer gap, and of the track, the nearest is held for as long.

    Returns:
        ``(N, J, 3)`` float32; a keypoint without a measurement near enough has place and confidence 0.
    """
    there_NJ = measured(keypoints_NJ3)
    found = np.where(there_NJ[..., None], keypoints_NJ3, 0).astype(np.float32)
    order = np.lexsort((seconds_N, track_id_N))
    for rows in np.split(order, np.flatnonzero(np.diff(track_id_N[order])) + 1):
        for joint in np.flatnonzero(there_NJ[rows].any(0) & ~there_NJ[rows].all(0)):
            seen = there_NJ[rows, joint]
            found[rows[~seen], joint] = _between(
                seconds_N[rows], keypoints_NJ3[rows, joint], seen, most_seconds
            )
    return found


def _between(seconds_T: np.ndarray, points_T3: np.ndarray, seen_T: np.ndarray, most: float) -> np.ndarray:
    """What one keypoint of one track is at the moments when it was not seen."""
    known, missing = seconds_T[seen_T], seconds_T[~seen_T]
    after = np.searchsorted(known, missing)
    before, after = np.maximum(after - 1, 0), np.minimum(after, len(known) - 1)
    apart = known[after] - known[before]
    nearest = np.where(missing - known[before] <= np.abs(known[after] - missing), before, after)
    near = np.abs(known[nearest] - missing) <= most + 1e-6
    share = np.clip((missing - known[before]) / np.maximum(apart, 1e-9), 0, 1)[:, None]
    line = points_T3[seen_T][before] * (1 - share) + points_T3[seen_T][after] * share
    joined = (apart > 0) & (apart <= most + 1e-6)
    held = np.where(near[:, None], points_T3[seen_T][nearest], 0.0)
    return np.where(joined[:, None], line, held)
