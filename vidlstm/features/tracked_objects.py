"""The tracks of a video at a steady rate, and what they alone tell of each object at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from vidlstm.backbones.yolo.detections import Detections
from vidlstm.backbones.yolo.person_features import WIDTH, describe_people
from vidlstm.backbones.yolo.pose_features import POINTS
from vidlstm.errors import DatasetError
from vidlstm.features.crops import Crops
from vidlstm.features.keypoint_gaps import filled

POSE_DIM = WIDTH + 3
FASTEST = 5.0
"""Body sizes a second, to which speeds are cut off: beyond it the tracker has jumped."""
PAIRS = 20_000
"""Pairs of bodies described at once: each takes some kilobytes."""
MOST_BODIES = 300
"""In one frame; what YOLO gives at most. Each is compared to every other."""


@dataclass(frozen=True, eq=False)
class TrackedObjects:
    """The rows of one video: objects of one frame after another, each frame's by their numbers.

    Attributes:
        video: as the table names it.
        frame_N, track_id_N: int64.
        seconds_N: float64, in the container's own clock.
        step_N: int64, the number of its step, from 0; of a number that is left out nobody was seen.
        boxes_N4: float32, x1, y1, x2, y2 in pixels.
        confidence_N: float32.
        keypoints_NJ3: float32, x, y in pixels and confidence; J is 0 where the table has none.
        step_seconds: from one step to the next.
    """

    video: str
    frame_N: np.ndarray
    track_id_N: np.ndarray
    seconds_N: np.ndarray
    step_N: np.ndarray
    boxes_N4: np.ndarray
    confidence_N: np.ndarray
    keypoints_NJ3: np.ndarray
    step_seconds: float

    def __len__(self) -> int:
        return len(self.frame_N)

    def __repr__(self) -> str:
        return (
            f"TrackedObjects({self.video!r}, {len(self)} boxes of {len(np.unique(self.track_id_N))} tracks)"
        )

    def crops(self, margin: float) -> Crops:
        """What is to be cut out of the video, a picture a row."""
        boxes: dict[int, list[list[float]]] = {}
        for frame, box in zip(self.frame_N.tolist(), self.boxes_N4.tolist(), strict=True):
            boxes.setdefault(frame, []).append(box)
        return Crops(boxes, margin)

    def poses(self, *, fill_seconds: float = 0.0, first_row: int = 0) -> np.ndarray:
        """Posture, joints, the nearest other body and the way each goes, ``(N, 79)`` float32.

        See :func:`describe_people`; and the velocity of the middle of the box to the right, downwards, and
        its amount, in body sizes a second, zero where a track begins.

        Args:
            fill_seconds: for how long a keypoint may be missing and is filled in; see
                :func:`~vidlstm.features.keypoint_gaps.filled`. 0 takes all as they are.
            first_row: of those that are described, the first of its frame; those before are only looked at.

        Raises:
            DatasetError: the table has no keypoints, or not COCO's 17, or too many bodies in a frame.
        """
        if self.keypoints_NJ3.shape[1] != POINTS:
            raise DatasetError(
                f"the tracks of {self.video} have {self.keypoints_NJ3.shape[1] or 'no'} keypoints; "
                f"track:pose needs the {POINTS} of COCO: track with a pose network, such as yolo11n-pose.pt"
            )
        described = np.zeros((len(self), WIDTH), np.float32)
        frames, start_T = np.unique(self.frame_N, return_index=True)
        end_T = np.append(start_T[1:], len(self))
        most = int((end_T - start_T).max(initial=1))
        if most > MOST_BODIES:
            raise DatasetError(
                f"{most} bodies in a frame of {self.video}; at most {MOST_BODIES} can be described"
            )
        keypoints_NJ3 = self.keypoints_NJ3
        if fill_seconds:
            keypoints_NJ3 = filled(keypoints_NJ3, self.track_id_N, self.seconds_N, most_seconds=fill_seconds)
        step = max(1, PAIRS // most**2)
        for first in range(int((start_T < first_row).sum()), len(frames), step):
            chunk = slice(first, first + step)
            self._describe(described, keypoints_NJ3, start_T[chunk], end_T[chunk])
        return np.concatenate([described, self._velocities()], axis=1)[first_row:]

    def _describe(
        self, described_NF: np.ndarray, keypoints_NJ3: np.ndarray, start_B: np.ndarray, end_B: np.ndarray
    ) -> None:
        place_BM = start_B[:, None] + np.arange((end_B - start_B).max())
        there_BM = place_BM < end_B[:, None]
        row_BM = np.where(there_BM, place_BM, 0)
        people = Detections(
            torch.from_numpy(self.boxes_N4[row_BM]),
            torch.from_numpy(self.confidence_N[row_BM] * there_BM),
            torch.zeros(row_BM.shape, dtype=torch.int64),
            torch.from_numpy(keypoints_NJ3[row_BM]),
        )
        described_NF[row_BM[there_BM]] = describe_people(people).numpy()[there_BM]

    def _velocities(self) -> np.ndarray:
        order = np.lexsort((self.frame_N, self.track_id_N))
        corners = self.boxes_N4[order].astype(np.float64)
        middle, size = (
            (corners[:, :2] + corners[:, 2:]) / 2,
            np.linalg.norm(corners[:, 2:] - corners[:, :2], axis=1),
        )
        seconds = np.diff(self.seconds_N[order])
        same = (np.diff(self.track_id_N[order]) == 0) & (seconds > 0)
        way = np.zeros((len(self), 2))
        lengths = (np.maximum(seconds, 1e-6) * np.maximum(size[1:], 8.0))[:, None]
        way[1:] = np.clip(np.diff(middle, axis=0) / lengths, -FASTEST, FASTEST) * same[:, None]
        found = np.zeros((len(self), 3), np.float32)
        found[order] = np.concatenate([way, np.linalg.norm(way, axis=1, keepdims=True)], axis=1)
        return found
