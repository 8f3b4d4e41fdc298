"""Our own tracks table: ``video, frame, timestamp_seconds, track_id, class, confidence, x1, y1, x2, y2``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars

from vidlstm.datasets.homography import on_the_ground
from vidlstm.datasets.track_resampling import Gap, gaps_in, resample
from vidlstm.datasets.tracks import Gaps, TrackTable, make_table
from vidlstm.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: dict[str, Any] = {
    "video": polars.String,
    "frame": polars.Int64,
    "timestamp_seconds": polars.Float64,
    "track_id": polars.Int64,
    "class": polars.String,
    "confidence": polars.Float32,
    "x1": polars.Float32,
    "y1": polars.Float32,
    "x2": polars.Float32,
    "y2": polars.Float32,
}
"""The columns every tracks table has. Frames count from 0; boxes are pixels of the upright frame."""
KEYPOINTS = {"keypoints": polars.List(polars.Float32)}
"""A further column where there are any: x, y, confidence of each keypoint, one after the other."""
COLUMNS = tuple(SCHEMA)
SLOWEST = 1.15
"""Frames may be so many steps apart; a slower video cannot be resampled."""
LONE_FRAME_SECONDS = 0.04
"""Taken for the time between frames of a video with objects in a single frame."""
NUMBERS = ("frame", "track_id", "x1", "y1", "x2", "y2")


def read_tracks_parquet(
    path: Path,
    *,
    frame_step: int = 1,
    gaps: Gaps = "split",
    step_seconds: float | None = None,
    max_gap_seconds: float = 1.0,
    homography: np.ndarray | None = None,
) -> list[TrackTable]:
    """The tracks of each video in the table, in order of first appearance.

    Args:
        path: a Parquet file with at least the columns of ``COLUMNS``; further ones are not read.
        frame_step: keep every so many frames.
        gaps: a tracker loses objects for a while, so a gap splits a track by default.
        step_seconds: resample to steps of this length by the timestamps, instead of counting frames; see
            :func:`resample`.
        max_gap_seconds: a longer gap is not filled, where ``step_seconds`` is given.
        homography: pixels to metres; see :func:`read_homography`.

    Returns:
        Boxes as (centre x, centre y, width, height) in pixels; with a homography points (x, y) in metres.
        Seconds per step are the median time between frames that follow each other, times ``frame_step``.
        "Lines" in messages are rows, from 1.

    Raises:
        DatasetError: the file is missing, is no Parquet, misses a column, or has a bad row.
    """
    frame = read_tracks_frame(path)
    tables = []
    for video in frame["video"].unique(maintain_order=True).to_list():
        part = frame.filter(polars.col("video") == video)
        clock = Clock(path, part)
        table = _boxes(path, part, clock, frame_step if step_seconds is None else 1, gaps)
        if step_seconds is not None:
            if clock.seconds_per_frame > SLOWEST * step_seconds:
                raise DatasetError(
                    f"{path}: {video} has {1 / clock.seconds_per_frame:.3g} frames a second, too few for "
                    f"steps of {step_seconds:g} s"
                )
            seconds_R = clock.seconds_at(table.frames_R)
            table = resample(table, seconds_R, step_seconds=step_seconds, max_gap_seconds=max_gap_seconds)
        tables.append(table if homography is None else on_the_ground(table, homography))
    return tables


def gaps_in_tracks(path: Path, *, max_gap_seconds: float) -> dict[str, list[Gap]]:
    """Video to the stretches in which its tracks were not seen.

    Raises:
        DatasetError: see :func:`read_tracks_parquet`.
    """
    frame = read_tracks_frame(path)
    found = {}
    for video in frame["video"].unique(maintain_order=True).to_list():
        part = frame.filter(polars.col("video") == video)
        clock = Clock(path, part)
        table = _boxes(path, part, clock, 1, "split")
        found[video] = gaps_in(table, clock.seconds_at(table.frames_R), max_gap_seconds=max_gap_seconds)
    return found


def read_clocks(path: Path) -> dict[str, Clock]:
    """Video to its frame numbers and times.

    Raises:
        DatasetError: see :func:`read_tracks_parquet`.
    """
    frame = read_tracks_frame(path)
    videos = frame["video"].unique(maintain_order=True).to_list()
    return {video: Clock(path, frame.filter(polars.col("video") == video)) for video in videos}


def _boxes(path: Path, part: polars.DataFrame, clock: Clock, frame_step: int, gaps: Gaps) -> TrackTable:
    numbers = part.select(polars.col(NUMBERS).cast(polars.Float64).fill_null(np.nan)).to_numpy()
    centre, size = (numbers[:, 2:4] + numbers[:, 4:]) / 2, numbers[:, 4:] - numbers[:, 2:4]
    table = make_table(
        path,
        np.concatenate([numbers[:, :2], centre, size], axis=1),
        part["row"].to_numpy().astype(np.int64) + 1,
        unit="pixels",
        frame_step=frame_step,
        seconds_per_step=frame_step * clock.seconds_per_frame,
        gaps=gaps,
    )
    return replace(table, recording=str(part["video"][0]))


class Clock:
    """Frame numbers and times of one video.

    Args:
        path: the table, for messages.
        part: the rows of one video.

    Raises:
        DatasetError: times do not rise with the frames.
    """

    def __init__(self, path: Path, part: polars.DataFrame) -> None:
        times = part.select("frame", "timestamp_seconds").drop_nulls().unique().sort("frame").to_numpy()
        self._frames, self._seconds = times[:, 0], times[:, 1]
        frames, seconds = np.diff(self._frames), np.diff(self._seconds)
        steps = seconds[frames > 0] / frames[frames > 0]
        if len(times) == 1:
            steps = np.array([LONE_FRAME_SECONDS])
        if not len(steps) or not np.isfinite(steps).all() or not np.median(steps) > 0:
            raise DatasetError(f"{path}: the timestamps of {part['video'][0]} do not rise with its frames")
        self.seconds_per_frame = float(np.median(steps))

    def seconds_at(self, frames_R: np.ndarray) -> np.ndarray:
        """The time of each frame number ``(R,)``; between and beyond known ones at the median rate."""
        seconds_R: np.ndarray = np.interp(frames_R, self._frames, self._seconds)
        return seconds_R

    def frame_at(self, seconds: float) -> int:
        """The number of the frame that is shown nearest to a time."""
        nearest = int(np.abs(self._seconds - seconds).argmin())
        beyond = round((seconds - self._seconds[nearest]) / self.seconds_per_frame)
        return int(self._frames[nearest] + beyond)


def read_tracks_frame(path: Path, *, keypoints: bool = False, empty: bool = False) -> polars.DataFrame:
    """The table as it is, checked, with the number of each row in ``row``.

    Args:
        path: the Parquet file.
        keypoints: with that column too, where there is one.
        empty: a table without a row is one, too.

    Raises:
        DatasetError: the file is missing, is no Parquet, misses a column, or is empty.
    """
    try:
        schema = polars.read_parquet_schema(path)
        missing = [name for name in COLUMNS if name not in schema]
        if missing:
            raise DatasetError(f"{path}: not a tracks table, it has no column {', '.join(missing)}")
        wrong = [name for name in (*NUMBERS, "timestamp_seconds") if not schema[name].is_numeric()]
        if wrong:
            raise DatasetError(f"{path}: not numbers in column {', '.join(wrong)}")
        more = [name for name in KEYPOINTS if keypoints and name in schema]
        frame = polars.read_parquet(path, columns=[*COLUMNS, *more]).with_row_index("row")
    except (OSError, polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        raise DatasetError(f"{path}: cannot be read as Parquet: {error}") from error
    if not len(frame) and not empty:
        raise DatasetError(f"{path}: holds no rows")
    return frame
