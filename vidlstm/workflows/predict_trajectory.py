"""``predict`` with a trajectory checkpoint: a tracks table to forecasts, tables and a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.tracks_parquet import read_tracks_parquet
from vidlstm.errors import CheckpointError, DatasetError
from vidlstm.inference.forecast_tracks import adapt_scale, forecast_table
from vidlstm.render.forecast_tables import write_forecasts
from vidlstm.render.paths import plot_forecasts
from vidlstm.tasks.trajectory import load_trajectory_model

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.structures import PathForecast

RATE_TOLERANCE = 0.15
"""A video's steps may differ from the training steps by this share."""


@dataclass
class ForecastReport:
    """What a forecasting run did: the forecasts, the files written, and tracks too short to forecast."""

    forecasts: list[PathForecast] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    short_tracks: int = 0


def predict_trajectory(
    checkpoint: Path, tracks: Path, *, out: Path, every: int | None = None, frame_step: int | None = None
) -> ForecastReport:
    """Says where each tracked object will be.

    Args:
        checkpoint: what ``train --task trajectory`` wrote; it holds all other settings.
        tracks: a tracks table (Parquet).
        out: takes ``<stem>.parquet``, ``.csv``, ``.json``, and ``.png`` (one picture a video).
        every: forecast from every so many steps; None takes the horizon. Each track's end is always one.
        frame_step: frames to a step; None takes what comes nearest to the training tracks' rate.

    Raises:
        VidlstmError: the checkpoint or table cannot be read, rates do not fit, or no track is long enough.
    """
    model, card = load_trajectory_model(Path(checkpoint))
    observed, out, tracks = int(card["data"]["observed"]), Path(out), Path(tracks)
    report = ForecastReport()
    for table in _tables(tracks, float(card["seconds_per_step"]), frame_step):
        if model.coordinates > table.positions_RC.shape[1]:
            raise CheckpointError(f"{checkpoint} forecasts boxes, {tracks} holds points")
        adapt_scale(model, table, card["unit"])
        found = forecast_table(
            model, table, observed=observed, every=every or model.horizon, neighbours=int(card["neighbours"])
        )
        report.forecasts += found
        report.short_tracks += len(set(table.track_ids_R.tolist()) - {f.track_id for f in found})
        if found:
            picture = out / f"{tracks.stem}_{_safe(Path(table.recording).stem)}.png"
            plot_forecasts(_with_truth_first(found), picture)
            report.files.append(picture)
    if not report.forecasts:
        raise DatasetError(f"{tracks}: no track lasts {observed} steps of {card['seconds_per_step']:g} s")
    report.files += write_forecasts(report.forecasts, out / tracks.stem)
    return report


def _tables(tracks: Path, seconds_per_step: float, frame_step: int | None) -> list[TrackTable]:
    if frame_step is not None:
        return read_tracks_parquet(tracks, frame_step=frame_step)
    tables = []
    for table in read_tracks_parquet(tracks):
        step = max(1, round(seconds_per_step / table.seconds_per_step))
        off = abs(step * table.seconds_per_step / seconds_per_step - 1)
        if off > RATE_TOLERANCE:
            raise DatasetError(
                f"{tracks}: {table.recording} has {1 / table.seconds_per_step:.3g} frames a second; no "
                f"whole number of frames makes a step of {seconds_per_step:g} s; give frame_step"
            )
        thinned = read_tracks_parquet(tracks, frame_step=step)
        tables += [t for t in thinned if t.recording == table.recording]
    return tables


def _with_truth_first(forecasts: list[PathForecast]) -> list[PathForecast]:
    """The forecasts whose whole future is known, for pictures; all of them where there is none."""
    known = [f for f in forecasts if np.isfinite(f.truth_PC).all()]
    return known or forecasts


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "video"
