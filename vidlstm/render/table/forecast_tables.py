"""Forecasts as Parquet, CSV and JSON; one row a step of a path. The columns are in ``docs/trajectory.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars

from vidlstm.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vidlstm.structures import PathForecast

ONE_PATH, STRAIGHT = -1, -2
"""The mode numbers of the one path, and of going on at constant velocity."""


def forecast_frame(forecasts: Sequence[PathForecast]) -> polars.DataFrame:
    """All forecasts as one table.

    Columns: ``recording, track_id, frame`` (the last observed), ``step`` (from 1), ``frame_ahead``,
    ``moment_seconds`` (the time of ``frame``), ``seconds_ahead``, ``mode`` (-2 constant velocity, -1 the
    one path, 0 the likeliest mode), ``probability`` (null at constant velocity), ``x, y`` and for
    boxes ``width, height``, ``spread_along, spread_across`` (null for the modes below 0),
    ``heading_radians``, ``true_x, true_y`` (null where not known).
    """
    parts = [_columns(f) for f in forecasts]
    if not parts:
        return polars.DataFrame(schema=COLUMNS)
    # One frame of whole columns: a frame for each forecast takes many times as long.
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = [f.recording for f, part in zip(forecasts, parts, strict=True) for _ in part["step"]]
    return polars.DataFrame({"recording": names, **columns}, schema=COLUMNS).fill_nan(None)


COLUMNS: dict[str, Any] = {
    "recording": polars.String,
    "track_id": polars.Int64,
    "frame": polars.Int64,
    "step": polars.Int64,
    "frame_ahead": polars.Int64,
    "moment_seconds": polars.Float64,
    "seconds_ahead": polars.Float64,
    "mode": polars.Int64,
    "probability": polars.Float64,
    "x": polars.Float64,
    "y": polars.Float64,
    "width": polars.Float64,
    "height": polars.Float64,
    "spread_along": polars.Float64,
    "spread_across": polars.Float64,
    "heading_radians": polars.Float64,
    "true_x": polars.Float64,
    "true_y": polars.Float64,
}


def _columns(f: PathForecast) -> dict[str, np.ndarray]:
    """All columns but the first."""
    paths = np.concatenate([f.straight_PC[None], f.path_PC[None], f.modes_KPC])
    slots, horizon, width = paths.shape
    flat, boxes = paths.reshape(-1, width), width == 4
    step = np.tile(np.arange(1, horizon + 1), slots)
    spread = np.concatenate([np.full((2, horizon, width), np.nan), f.spread_KPC]).reshape(-1, width)
    truth = np.tile(f.truth_PC, (slots, 1))
    return {
        "track_id": np.full(len(flat), f.track_id),
        "frame": np.full(len(flat), f.frame),
        "step": step,
        "frame_ahead": f.frame + step * f.frame_step,
        "moment_seconds": np.full(len(flat), f.moment_seconds),
        "seconds_ahead": step * f.seconds_per_step,
        "mode": np.repeat(np.arange(STRAIGHT, slots + STRAIGHT), horizon),
        "probability": np.repeat(np.concatenate([[np.nan, 1.0], f.probabilities_K]), horizon),
        "x": flat[:, 0],
        "y": flat[:, 1],
        "width": flat[:, 2] if boxes else np.full(len(flat), np.nan),
        "height": flat[:, 3] if boxes else np.full(len(flat), np.nan),
        "spread_along": spread[:, 0],
        "spread_across": spread[:, 1],
        "heading_radians": np.full(len(flat), f.heading_radians),
        "true_x": truth[:, 0],
        "true_y": truth[:, 1],
    }


def one_path(table: polars.DataFrame) -> polars.DataFrame:
    """The rows without those of the K futures."""
    return table.filter(polars.col("mode") <= ONE_PATH)


def write_forecasts_parquet(table: polars.DataFrame, path: Path) -> None:
    """Writes a table of :func:`forecast_frame`.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(table.write_parquet, path)


def write_forecasts_csv(table: polars.DataFrame, path: Path) -> None:
    """The same as CSV; what is not known is empty.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(table.write_csv, path)


def write_forecasts_json(table: polars.DataFrame, path: Path) -> None:
    """The same as JSON, an array of rows; what is not known is null.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(table.write_json, path)
