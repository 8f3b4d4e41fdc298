"""Our own tracks table: ``video, frame, timestamp_seconds, track_id, class, confidence, x1, y1, x2, y2``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars

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
"""The columns every tracks table has. Frames count from 0 in the video; boxes are pixels of the upright frame."""
KEYPOINTS = {"keypoints": polars.List(polars.Float32)}
"""A further column where there are any: x, y, confidence of each keypoint, one after the other."""
COLUMNS = tuple(SCHEMA)
NUMBERS = ("frame", "track_id", "x1", "y1", "x2", "y2")


def read_tracks_parquet(path: Path, *, frame_step: int = 1, gaps: Gaps = "split") -> list[TrackTable]:
    """The tracks of each video in the table, in order of first appearance.

    Args:
        path: a Parquet file with at least the columns of ``COLUMNS``; further ones are not read.
        frame_step: keep every so many frames.
        gaps: a tracker loses objects for a while, so a gap splits a track by default.

    Returns:
        Boxes as (centre x, centre y, width, height) in pixels. Seconds per step are the median time between
        frames that follow each other, times ``frame_step``. "Lines" in messages are rows, from 1.

    Raises:
        DatasetError: the file is missing, is no Parquet, misses a column, or has a bad row.
    """
    frame = _read(path)
    tables = []
    for video in frame["video"].unique(maintain_order=True).to_list():
        part = frame.filter(polars.col("video") == video)
        numbers = part.select(polars.col(NUMBERS).cast(polars.Float64).fill_null(np.nan)).to_numpy()
        centre, size = (numbers[:, 2:4] + numbers[:, 4:]) / 2, numbers[:, 4:] - numbers[:, 2:4]
        table = make_table(
            path,
            np.concatenate([numbers[:, :2], centre, size], axis=1),
            part["row"].to_numpy().astype(np.int64) + 1,
            unit="pixels",
            frame_step=frame_step,
            seconds_per_step=frame_step * _seconds_per_frame(path, video, part),
            gaps=gaps,
        )
        tables.append(replace(table, recording=str(video)))
    return tables


def _read(path: Path) -> polars.DataFrame:
    try:
        schema = polars.read_parquet_schema(path)
        missing = [name for name in COLUMNS if name not in schema]
        if missing:
            raise DatasetError(f"{path}: not a tracks table, it has no column {', '.join(missing)}")
        wrong = [name for name in (*NUMBERS, "timestamp_seconds") if not schema[name].is_numeric()]
        if wrong:
            raise DatasetError(f"{path}: not numbers in column {', '.join(wrong)}")
        frame = polars.read_parquet(path, columns=list(COLUMNS)).with_row_index("row")
    except (OSError, polars.exceptions.PolarsError) as error:
        raise DatasetError(f"{path}: cannot be read as Parquet: {error}") from error
    if not len(frame):
        raise DatasetError(f"{path}: holds no rows")
    return frame


def _seconds_per_frame(path: Path, video: str, part: polars.DataFrame) -> float:
    times = part.select("frame", "timestamp_seconds").drop_nulls().unique().sort("frame").to_numpy()
    frames, seconds = np.diff(times[:, 0]), np.diff(times[:, 1])
    steps = seconds[frames > 0] / frames[frames > 0]
    if not len(steps) or not np.isfinite(steps).all() or not np.median(steps) > 0:
        raise DatasetError(f"{path}: the timestamps of {video} do not rise with its frames")
    return float(np.median(steps))
