"""Boxes made elsewhere, in MOTChallenge text, in place of a network's: detections (id -1) or whole tracks.

Format: Milan et al. 2016, "MOT16: a benchmark for multi-object tracking": frame (from 1), id, left, top,
width, height, confidence, ... one box a line.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.mot import considered
from vidlstm.datasets.tracks import read_numbers
from vidlstm.errors import DatasetError, VideoError
from vidlstm.structures import Detections
from vidlstm.tracking.tracker import Tracked

if TYPE_CHECKING:
    from pathlib import Path

ROUNDING = 1e-3
"""By so much a confidence may pass 1."""
LARGEST_MARGIN = 10
"""Of an SVM, such as the DPM of the public detections of MOT16; a file of per cent has higher numbers."""
LABEL = "object"
"""The class of boxes whose file does not name any."""


@dataclass(frozen=True, eq=False)
class MotBoxes:
    """The boxes of one file, sorted by frame.

    Attributes:
        frames_R: ``(R,)`` int64, from 0.
        track_ids_R: ``(R,)`` int64; -1 where no tracker has been at work.
        boxes_R4: ``(R, 4)`` float32, x1, y1, x2, y2 in pixels.
        confidence_R: ``(R,)`` float32.
    """

    frames_R: np.ndarray
    track_ids_R: np.ndarray
    boxes_R4: np.ndarray
    confidence_R: np.ndarray

    @property
    def has_tracks(self) -> bool:
        """Whether the boxes have identities already."""
        return bool(len(self.track_ids_R)) and bool((self.track_ids_R != -1).all())

    def in_frame(self, index: int, height: int, width: int) -> tuple[Detections, Tracked]:
        """The boxes in the picture of a frame, as detections and, with the file's identities, as tracks."""
        first, last = np.searchsorted(self.frames_R, [index, index + 1])
        rows = first + np.flatnonzero(~self.outside(height, width, slice(first, last)))
        count = len(rows)
        boxes, confidence = self.boxes_R4[rows], self.confidence_R[rows]
        class_N = np.zeros(count, np.int64)
        return (
            Detections(boxes, confidence, class_N, np.zeros((count, 0, 3), np.float32)),
            Tracked(self.track_ids_R[rows], boxes, confidence, class_N, np.arange(count)),
        )

    def outside(self, height: int, width: int, rows: slice = slice(None)) -> np.ndarray:
        """``(R,)`` bool, whether nothing of a box lies in a picture of this size in pixels."""
        boxes_R4 = self.boxes_R4[rows]
        beyond_R4 = np.concatenate([boxes_R4[:, :2] >= [width, height], boxes_R4[:, 2:] <= 0], axis=1)
        return np.asarray(beyond_R4.any(1))

    def account(self, video: str, *, height: int, width: int, frames: int) -> tuple[int, int]:
        """How many boxes a video has no place for: those after its last frame, those outside its picture.

        Raises:
            VideoError: ``other_boxes``, it has a place for none.

        Warns:
            UserWarning: it has none for some.
        """
        beyond_R, outside_R = self.frames_R >= frames, self.outside(height, width)
        late, out = int(beyond_R.sum()), int((outside_R & ~beyond_R).sum())
        told = (
            f"of {len(beyond_R)} boxes {late} are for frames beyond its end ({frames} frames) and {out} lie "
            f"outside its picture ({width} x {height} pixels)"
        )
        if late + out and late + out == len(beyond_R):
            raise VideoError(video, reason="other_boxes", detail=told)
        if late + out:
            warnings.warn(f"{video}: {told}; these are left out", UserWarning, stacklevel=2)
        return late, out


def read_mot_boxes(path: Path) -> MotBoxes:
    """Reads ``det.txt``, a tracker's result, or ``gt.txt`` (rows that are not to be considered are left out).

    Raises:
        DatasetError: the file is missing, or a row is bad or of no known confidence; names the line.

    Warns:
        UserWarning: rows are left out, or confidences are of another scale than 0 to 1.
    """
    rows, lines = read_numbers(path, columns=7, separator=",")
    bad = ~np.isfinite(rows).all(1) | (rows[:, 4:6] <= 0).any(1) | (rows[:, 0] < 1) | (rows[:, :2] % 1).any(1)
    if bad.any():
        raise DatasetError(
            f"{path}:{lines[bad][0]}: a box needs a whole frame number from 1, a whole id, a positive size"
        )
    kept = considered(path, rows)
    rows, lines = rows[kept], lines[kept]
    rows[:, 6] = _confidences(path, rows[:, 6], lines)
    identities = rows[:, 1] != -1
    if identities.any() and not identities.all():
        raise DatasetError(
            f"{path}: some rows have an identity and some have none (-1); give one or the other"
        )
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    again = np.all(rows[1:, :2] == rows[:-1, :2], axis=1) & (rows[1:, 1] != -1)
    if again.any():
        frame, identity = rows[1:][again][0, :2].astype(int)
        raise DatasetError(f"{path}: id {identity} stands twice in frame {frame}")
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    return MotBoxes(
        rows[:, 0].astype(np.int64) - 1,
        rows[:, 1].astype(np.int64),
        boxes.astype(np.float32),
        rows[:, 6].astype(np.float32),
    )


def _confidences(path: Path, given_R: np.ndarray, lines_R: np.ndarray) -> np.ndarray:
    """The seventh column as 0..1; 1 throughout where it says nothing (-1 in every row)."""
    if not len(given_R) or (given_R == -1).all():
        return np.ones_like(given_R)
    low, high = given_R.min(), given_R.max()
    if low >= 0 and high <= 1 + ROUNDING:
        return np.asarray(np.minimum(given_R, 1.0))
    told = f"the seventh column runs from {low:g} to {high:g}"
    if low >= 0 and LARGEST_MARGIN < high <= 100:
        _warn(f"{path}: {told} and is taken for confidences in per cent")
        return np.asarray(given_R / 100)
    odd_R = (given_R < 0) | (given_R > 1 + ROUNDING)
    if np.abs(given_R).max() <= LARGEST_MARGIN and not (given_R[odd_R] == -1).all():
        _warn(f"{path}: {told} and is taken for margins x of an SVM, as confidences 1 / (1 + exp(-x))")
        return np.asarray(1 / (1 + np.exp(-given_R)))
    raise DatasetError(
        f"{path}:{lines_R[odd_R][0]}: a confidence of {given_R[odd_R][0]:g}; {told}, which is neither 0 to "
        "1, nor per cent, nor margins of an SVM; scale it to 0 to 1, or write -1 in every row, which takes "
        "all boxes as certain"
    )


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)
