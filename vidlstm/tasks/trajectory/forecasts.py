"""A tracks table and a forecaster to all its forecasts, their scores, and the tracks too short for any."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vidlstm.datasets.homography import read_homography
from vidlstm.datasets.tracks_parquet import gaps_in_tracks, read_clocks, read_tracks_parquet
from vidlstm.errors import CheckpointError, DatasetError
from vidlstm.inference.forecast_scores import score_forecasts
from vidlstm.inference.forecast_tracks import adapt_scale, forecast_table
from vidlstm.structures import TrackForecasts

if TYPE_CHECKING:
    from pathlib import Path

    from vidlstm.cards import TrajectoryCard
    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.models.forecaster import PathForecaster


def forecast_all(
    model: PathForecaster, card: TrajectoryCard, tracks: Path, *, every: int | None, homography: Path | None
) -> TrackForecasts:
    """The forecasts of a tracks table; nothing is written.

    Args:
        model: in eval mode; its unit of length may change, see :func:`adapt_scale`.
        card: of its training.
        tracks: a tracks table (Parquet), resampled by its timestamps to the card's steps.
        every: forecast from every so many steps; None takes the horizon. Each track's end is always one.
        homography: pixels to metres; see :func:`read_homography`.

    Raises:
        VidlstmError: the table cannot be read or is of another kind, or no track is long enough.
    """
    data, step = card.data, card.seconds_per_step
    by_height = data.normalise == "height"
    found, clocks = TrackForecasts(), read_clocks(tracks)
    for video, gaps in gaps_in_tracks(tracks, max_gap_seconds=data.max_gap_seconds).items():
        found.gaps += [(video, g.track_id, g.start_seconds, g.end_seconds, g.filled) for g in gaps]
    for table in read_tracks_parquet(
        tracks,
        step_seconds=step,
        max_gap_seconds=data.max_gap_seconds,
        homography=None if homography is None else read_homography(homography),
    ):
        if max(model.coordinates, 4 * by_height) > table.positions_RC.shape[1]:
            raise CheckpointError(
                f"the checkpoint forecasts boxes, {tracks} gives points (a homography makes points of boxes)"
            )
        if not len(table):
            continue  # all beyond the horizon of the homography
        adapt_scale(model, table, "pixels" if by_height else card.unit)
        of_table = forecast_table(
            model,
            table,
            observed=data.observed,
            every=every or model.horizon,
            neighbours=card.neighbours,
            by_height=by_height,
        )
        clock = clocks[table.recording]
        frame_step = max(1, round(step / clock.seconds_per_frame))
        found.forecasts += [
            replace(f, frame=clock.frame_at(f.moment_seconds), frame_step=frame_step) for f in of_table
        ]
        found.short_tracks += _short(table, {f.track_id for f in of_table}, data.observed)
    if not found.forecasts:
        raise DatasetError(f"{tracks}: no track lasts {data.observed} steps of {step:g} s")
    found.scores = score_forecasts(found.forecasts)
    return found


def _short(table: TrackTable, forecast: set[int], observed: int) -> list[tuple[str, int, int, int]]:
    """The tracks without a forecast and their longest unbroken run of steps."""
    short = []
    for track in np.unique(table.track_ids_R):
        if int(track) not in forecast:
            frames = table.frames_R[table.track_ids_R == track]
            runs = np.split(frames, np.flatnonzero(np.diff(frames) != table.frame_step) + 1)
            short.append((table.recording, int(track), max(map(len, runs)), observed))
    return short
