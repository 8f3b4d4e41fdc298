"""Boxes made elsewhere, in MOTChallenge text, in place of a network's: detections (id -1) or whole tracks.

Format: Milan et al. 2016, "MOT16: a benchmark for multi-object tracking": frame (from 1), id, left, top,
width, height, confidence, ... one box a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.tracks import read_numbers
from vidlstm.errors import DatasetError
from vidlstm.structures import Detections
from vidlstm.tracking.tracker import Tracked

if TYPE_CHECKING:
    from pathlib import Path

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

    def in_frame(self, index: int) -> tuple[Detections, Tracked]:
        """The boxes of one frame, as detections and, with the identities of the file, as tracks."""
        first, last = np.searchsorted(self.frames_R, [index, index + 1])
        rows = slice(first, last)
        count = last - first
        boxes, confidence = self.boxes_R4[rows], self.confidence_R[rows]
        class_N = np.zeros(count, np.int64)
        return (
            Detections(boxes, confidence, class_N, np.zeros((count, 0, 3), np.float32)),
            Tracked(self.track_ids_R[rows], boxes, confidence, class_N, np.arange(count)),
        )


def read_mot_boxes(path: Path) -> MotBoxes:
    """Reads ``det.txt``, a tracker's result, or ``gt.txt`` (rows that are not to be considered are left out).

    Raises:
        DatasetError: the file is missing or a row is bad; names the line.
    """
    rows, lines = read_numbers(path, columns=7, separator=",")
    bad = ~np.isfinite(rows).all(1) | (rows[:, 4:6] <= 0).any(1) | (rows[:, 0] < 1) | (rows[:, :2] % 1).any(1)
    if bad.any():
        raise DatasetError(
            f"{path}:{lines[bad][0]}: a box needs a whole frame number from 1, a whole id, a positive size"
        )
    if path.name.startswith("gt"):
        rows = rows[rows[:, 6] != 0]
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
    confidence = np.clip(rows[:, 6], 0, 1).astype(np.float32)
    return MotBoxes(
        rows[:, 0].astype(np.int64) - 1, rows[:, 1].astype(np.int64), boxes.astype(np.float32), confidence
    )
