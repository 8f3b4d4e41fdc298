"""A tracks table to the tracks of each video at a steady rate."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import polars

from vidlstm.datasets.tracks_parquet import NUMBERS, read_tracks_frame
from vidlstm.errors import DatasetError
from vidlstm.features.tracked_objects import TrackedObjects
from vidlstm.video.sampling import SteadySampler, slot_of

if TYPE_CHECKING:
    from pathlib import Path

LOOKED_AT = 256
"""Of moments that come one by one so many say how long a step is."""
FAR = 1e6
"""Pixels, to which places are cut off: a table from elsewhere may hold any number."""


def read_tracked_objects(path: Path, *, fps: float) -> dict[str, TrackedObjects]:
    """Video, as the table names it, to its tracks at a steady rate; none where nobody was found at all.

    Args:
        path: a tracks table (``vidlstm track``).
        fps: steps a second; a video with fewer frames gives every frame.

    Raises:
        DatasetError: the file is no tracks table, or a row of it cannot be right; names the row.
    """
    table = read_tracks_frame(path, keypoints=True, empty=True)
    _check(path, table)
    return tracked_objects(table, fps=fps, source=path)


def tracked_objects(table: polars.DataFrame, *, fps: float, source: object) -> dict[str, TrackedObjects]:
    """The same of a table at hand, whose rows are right.

    Args:
        table: with the columns of a tracks table.
        fps: steps a second.
        source: where it is from, for messages.
    """
    table = table.sort("frame", "track_id", maintain_order=True)
    parts = table.partition_by("video", as_dict=True, maintain_order=True)
    return {str(name[0]): _at_rate(source, str(name[0]), part, fps) for name, part in parts.items()}


def _check(path: Path, table: polars.DataFrame) -> None:
    """Raises a DatasetError that names the first row that cannot be right."""
    if not table.schema["confidence"].is_numeric():
        raise DatasetError(f"{path}: not numbers in column confidence")
    numbers, counted = [*NUMBERS, "timestamp_seconds"], polars.col("frame", "track_id").cast(polars.Float64)
    finite = polars.all_horizontal(polars.col(numbers).cast(polars.Float64).is_finite().fill_null(False))
    whole = polars.all_horizontal((counted % 1 == 0) & (counted.abs() < 2**53)) & (polars.col("frame") >= 0)
    once = polars.struct("video", "frame", "track_id").is_first_distinct()
    for good, why in (
        (finite, f"lacks a number in {', '.join(numbers)}"),
        (whole, "needs a whole frame number from 0 and a whole track number"),
        (once, "has a track a second time in one frame"),
    ):
        bad = table.filter(~good)
        if len(bad):
            raise DatasetError(f"{path}: row {bad['row'][0] + 1} {why}")


def _at_rate(path: object, video: str, part: polars.DataFrame, fps: float) -> TrackedObjects:
    clock = part.select("frame", "timestamp_seconds").unique().sort("frame")
    frames, times = clock["frame"].to_numpy(), clock["timestamp_seconds"].to_numpy()
    if (np.diff(times) <= 0).any() or (np.diff(frames) == 0).any():
        raise DatasetError(f"{path}: the timestamps of {video} do not rise with its frames")
    sampler = SteadySampler(fps)
    taken = np.array([sampler(seconds) for seconds in times.tolist()])
    step_seconds, step_T = numbered_steps(times[taken], fps)
    rows = part.filter(polars.col("frame").is_in(frames[taken]))
    frame_N = rows["frame"].to_numpy()
    boxes = rows.select("x1", "y1", "x2", "y2").to_numpy().astype(np.float64)
    confidence = rows["confidence"].cast(polars.Float32).fill_nan(None).fill_null(1.0)
    return TrackedObjects(
        video=video,
        frame_N=frame_N.astype(np.int64),
        track_id_N=rows["track_id"].to_numpy().astype(np.int64),
        seconds_N=rows["timestamp_seconds"].to_numpy().astype(np.float64),
        step_N=step_T[np.searchsorted(frames[taken], frame_N)],
        boxes_N4=boxes.clip(-FAR, FAR).astype(np.float32),
        confidence_N=confidence.to_numpy().clip(0.0, 1.0),
        keypoints_NJ3=_keypoints(path, rows),
        step_seconds=step_seconds,
    )


def numbered_steps(seconds_T: np.ndarray, fps: float) -> tuple[float, np.ndarray]:
    """How long a step is, and the number of the step each moment stands at.

    24 frames a second at 10 steps a second are now two, now three frames apart, one step each; a slower
    video has longer steps; a pause in which nobody is seen counts by its length::

        seconds at 10 a second   0.000  0.125  0.208  0.333  0.417  0.833
        step                         0      1      2      3      4      8

    Args:
        seconds_T: moments that a :class:`SteadySampler` has taken.
        fps: its rate.
    """
    apart = np.diff(seconds_T)
    step_seconds = max(1.0 / fps, float(np.quantile(apart, 0.25))) if len(apart) else 1.0 / fps
    slots = np.array([slot_of(seconds, float(seconds_T[0]), fps) for seconds in seconds_T.tolist()], float)
    steps = np.minimum(np.rint(apart / step_seconds), np.diff(slots)).clip(1, 2**40)
    return step_seconds, np.concatenate([[0], steps.cumsum()]).astype(np.int64)


class StepCounter:
    """The same as :func:`numbered_steps`, for moments that come one by one.

    Args:
        fps: the rate of the :class:`SteadySampler` that has taken them.

    Attributes:
        step_seconds: how long a step is, by the last moments.
    """

    def __init__(self, fps: float) -> None:
        self._fps, self.step_seconds = fps, 1.0 / fps
        self._apart: deque[float] = deque(maxlen=LOOKED_AT)
        self._first = self._last = 0.0
        self._step = -1

    def __call__(self, seconds: float) -> int:
        """The number of the step that the next moment stands at."""
        if self._step < 0:
            self._first = self._last = seconds
            self._step = 0
            return 0
        apart = seconds - self._last
        self._apart.append(apart)
        self.step_seconds = max(1.0 / self._fps, float(np.quantile(self._apart, 0.25)))
        slots = slot_of(seconds, self._first, self._fps) - slot_of(self._last, self._first, self._fps)
        self._step += max(1, min(int(np.rint(apart / self.step_seconds)), slots, 2**40))
        self._last = seconds
        return self._step


def _keypoints(path: object, rows: polars.DataFrame) -> np.ndarray:
    if "keypoints" not in rows.columns:
        return np.zeros((len(rows), 0, 3), np.float32)
    try:
        lists = rows["keypoints"].cast(polars.List(polars.Float32))
    except polars.exceptions.PolarsError as error:
        raise DatasetError(f"{path}: not lists of numbers in column keypoints") from error
    # A row without keypoints is a body of which none was found.
    there = (lists.list.len().fill_null(0) > 0).to_numpy()
    lengths = lists.list.len().filter(there).unique().to_list() or [0]
    if len(lengths) != 1 or lengths[0] % 3:
        raise DatasetError(
            f"{path}: the keypoints of {rows['video'][0]} are not three numbers for each of as many points"
        )
    values = np.zeros((len(rows), lengths[0] // 3, 3), np.float32)
    if lengths[0]:
        values[there] = lists.filter(there).explode().to_numpy().reshape(-1, *values.shape[1:])
    return in_range(np.zeros((0, 4)), values)[1]


def in_range(boxes_N4: np.ndarray, keypoints_NJ3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and keypoints, float32, cut off where they are further away than any picture is wide."""
    there = ~np.isnan(keypoints_NJ3[..., :2]).any(-1)  # a place that is no number was not found
    values = np.where(there[..., None], np.nan_to_num(keypoints_NJ3), 0.0)
    keypoints = values.clip([-FAR, -FAR, 0.0], [FAR, FAR, 1.0]).astype(np.float32)
    return boxes_N4.astype(np.float64).clip(-FAR, FAR).astype(np.float32), keypoints
