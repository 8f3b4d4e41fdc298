"""The tracks of a video at a steady rate, and what a tracks table alone tells of each object at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars
import torch

from vidlstm.backbones.detections import Detections
from vidlstm.backbones.person_features import WIDTH, describe_people
from vidlstm.backbones.pose_features import POINTS
from vidlstm.datasets.tracks_parquet import NUMBERS, read_tracks_frame
from vidlstm.errors import DatasetError
from vidlstm.features.crops import Crops
from vidlstm.video.sampling import SteadySampler

if TYPE_CHECKING:
    from pathlib import Path

POSE_DIM = WIDTH + 3
FASTEST = 5.0
"""Body sizes a second, to which speeds are cut off: beyond it the tracker has jumped."""
CHUNK = 256
"""Frames described at once."""


@dataclass(frozen=True, eq=False)
class TrackedObjects:
    """The rows of one video: objects of one frame after another, each frame's by their numbers.

    Attributes:
        video: as the table names it.
        frame_N, track_id_N: int64.
        seconds_N: float64, in the container's own clock.
        boxes_N4: float32, x1, y1, x2, y2 in pixels.
        confidence_N: float32.
        keypoints_NJ3: float32, x, y in pixels and confidence; J is 0 where the table has none.
        step_seconds: from one step to the next.
    """

    video: str
    frame_N: np.ndarray
    track_id_N: np.ndarray
    seconds_N: np.ndarray
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

    def poses(self) -> np.ndarray:
        """Posture, joints, the nearest other body and the way each goes, ``(N, 79)`` float32.

        See :func:`describe_people`; and the velocity of the middle of the box to the right, downwards, and
        its amount, in body sizes a second, zero where a track begins.

        Raises:
            DatasetError: the table has no keypoints, or not COCO's 17.
        """
        if self.keypoints_NJ3.shape[1] != POINTS:
            raise DatasetError(
                f"the tracks of {self.video} have {self.keypoints_NJ3.shape[1] or 'no'} keypoints; "
                f"track:pose needs the {POINTS} of COCO: track with a pose network, such as yolo11n-pose.pt"
            )
        described = np.zeros((len(self), WIDTH), np.float32)
        frames, start_T = np.unique(self.frame_N, return_index=True)
        end_T = np.append(start_T[1:], len(self))
        for first in range(0, len(frames), CHUNK):
            chunk = slice(first, first + CHUNK)
            self._describe(described, start_T[chunk], end_T[chunk])
        return np.concatenate([described, self._velocities()], axis=1)

    def _describe(self, described_NF: np.ndarray, start_B: np.ndarray, end_B: np.ndarray) -> None:
        place_BM = start_B[:, None] + np.arange((end_B - start_B).max())
        there_BM = place_BM < end_B[:, None]
        row_BM = np.where(there_BM, place_BM, 0)
        people = Detections(
            torch.from_numpy(self.boxes_N4[row_BM]),
            torch.from_numpy(self.confidence_N[row_BM] * there_BM),
            torch.zeros(row_BM.shape, dtype=torch.int64),
            torch.from_numpy(self.keypoints_NJ3[row_BM]),
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


def read_tracked_objects(path: Path, *, fps: float) -> dict[str, TrackedObjects]:
    """Video, as the table names it, to its tracks at a steady rate.

    Args:
        path: a tracks table (``vidlstm track``).
        fps: steps a second; a video with fewer frames gives every frame.

    Raises:
        DatasetError: the file is no tracks table, or a row of it cannot be right; names the row.
    """
    table = read_tracks_frame(path, keypoints=True)
    numbers = [*NUMBERS, "timestamp_seconds"]
    bad = table.filter(
        ~polars.all_horizontal(polars.col(numbers).cast(polars.Float64).is_finite().fill_null(False))
    )
    if len(bad):
        raise DatasetError(f"{path}: row {bad['row'][0] + 1} lacks a number in {', '.join(numbers)}")
    table = table.sort("frame", "track_id", maintain_order=True)
    twice = table.filter(polars.struct("video", "frame", "track_id").is_duplicated())
    if len(twice):
        raise DatasetError(
            f"{path}: track {twice['track_id'][0]} stands twice in a frame, row {twice['row'][0] + 1}"
        )
    parts = table.partition_by("video", as_dict=True, maintain_order=True)
    return {str(name[0]): _at_rate(path, str(name[0]), part, fps) for name, part in parts.items()}


def _at_rate(path: Path, video: str, part: polars.DataFrame, fps: float) -> TrackedObjects:
    clock = part.select("frame", "timestamp_seconds").unique("frame").sort("frame")
    times = clock["timestamp_seconds"].to_numpy()
    if (np.diff(times) <= 0).any():
        raise DatasetError(f"{path}: the timestamps of {video} do not rise with its frames")
    sampler = SteadySampler(fps)
    taken = np.array([sampler(seconds) for seconds in times.tolist()])
    rows = part.filter(polars.col("frame").is_in(clock["frame"].to_numpy()[taken]))
    steps = np.diff(times[taken])
    return TrackedObjects(
        video=video,
        frame_N=rows["frame"].to_numpy().astype(np.int64),
        track_id_N=rows["track_id"].to_numpy().astype(np.int64),
        seconds_N=rows["timestamp_seconds"].to_numpy(),
        boxes_N4=rows.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float32),
        confidence_N=rows["confidence"].fill_null(1.0).to_numpy().astype(np.float32),
        keypoints_NJ3=_keypoints(path, rows),
        # A pause in which nobody is seen is no step; a slower video has longer steps.
        step_seconds=float(np.median(steps)) if len(steps) else 1.0 / fps,
    )


def _keypoints(path: Path, rows: polars.DataFrame) -> np.ndarray:
    if "keypoints" not in rows.columns:
        return np.zeros((len(rows), 0, 3), np.float32)
    lists = rows["keypoints"].list.len().fill_null(0).unique().to_list()
    if len(lists) != 1 or lists[0] % 3:
        raise DatasetError(
            f"{path}: the keypoints of {rows['video'][0]} are not three numbers for each of as many points"
        )
    values = np.array(rows["keypoints"].to_list(), np.float32).reshape(len(rows), -1, 3)
    return np.nan_to_num(values)
