"""``predict`` with a trajectory checkpoint: a tracks table to forecasts, tables and a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.homography import read_homography
from vidlstm.datasets.tracks_parquet import gaps_in_tracks, read_clocks, read_tracks_parquet
from vidlstm.errors import CheckpointError, DatasetError
from vidlstm.inference.forecast_scores import score_forecasts
from vidlstm.inference.forecast_tracks import adapt_scale, forecast_table
from vidlstm.render.plot.forecast_paths import plot_forecasts
from vidlstm.render.sinks import Material, write_outputs
from vidlstm.structures import TrackForecasts
from vidlstm.training.trajectory import load_trajectory_model

if TYPE_CHECKING:
    from vidlstm.datasets.tracks import TrackTable
    from vidlstm.structures import PathForecast


@dataclass
class ForecastReport:
    """What a forecasting run did.

    Attributes:
        forecasts: all of them.
        short_tracks: those that were too short for any: recording, track, its longest run of steps, steps
            needed.
        gaps: stretches in which tracks were not seen: recording, track, last time before, first after, and
            whether it was short enough to be filled (a longer one splits the track).
        scores: of the forecasts whose whole future is known, and of constant velocity on the same.
        files: what was written.
    """

    forecasts: list[PathForecast] = field(default_factory=list)
    short_tracks: list[tuple[str, int, int, int]] = field(default_factory=list)
    gaps: list[tuple[str, int, float, float, bool]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def predict_trajectory(
    checkpoint: Path,
    tracks: Path,
    *,
    out: Path,
    every: int | None = None,
    homography: Path | None = None,
) -> ForecastReport:
    """Says where each tracked object will be.

    Args:
        checkpoint: what ``train --task trajectory`` wrote; it holds all other settings.
        tracks: a tracks table (Parquet), resampled by its timestamps to the checkpoint's steps.
        out: takes ``<stem>.parquet``, ``.csv``, ``.json``, ``_scores.json``, ``_short_tracks.csv``,
            ``_gaps.csv`` and ``.png`` (one picture a video).
        every: forecast from every so many steps; None takes the horizon. Each track's end is always one.
        homography: pixels to metres; see :func:`read_homography`.

    Raises:
        VidlstmError: the checkpoint or table cannot be read, or no track is long enough.
    """
    out, tracks = Path(out), Path(tracks)
    report = forecast_all(checkpoint, tracks, every=every, homography=homography)
    for recording in dict.fromkeys(f.recording for f in report.forecasts):
        picture = out / f"{tracks.stem}_{_safe(Path(recording).stem)}.png"
        plot_forecasts(_with_truth_first([f for f in report.forecasts if f.recording == recording]), picture)
        report.files.append(picture)
    write_report(report, out / tracks.stem, modes_in_text=True)
    return report


def forecast_all(
    checkpoint: Path, tracks: Path, *, every: int | None = None, homography: Path | None = None
) -> ForecastReport:
    """The forecasts of a tracks table, their scores, and the tracks too short for any; nothing is written.

    Args and errors are those of :func:`predict_trajectory`.
    """
    model, card = load_trajectory_model(Path(checkpoint))
    data, step = card["data"], float(card["seconds_per_step"])
    observed, by_height = int(data["observed"]), data.get("normalise", "none") == "height"
    max_gap = float(data.get("max_gap_seconds", 1.0))
    report, clocks = ForecastReport(), read_clocks(tracks)
    for video, gaps in gaps_in_tracks(tracks, max_gap_seconds=max_gap).items():
        report.gaps += [(video, g.track_id, g.start_seconds, g.end_seconds, g.filled) for g in gaps]
    for table in read_tracks_parquet(
        tracks,
        step_seconds=step,
        max_gap_seconds=max_gap,
        homography=None if homography is None else read_homography(homography),
    ):
        if max(model.coordinates, 4 * by_height) > table.positions_RC.shape[1]:
            raise CheckpointError(
                f"{checkpoint} forecasts boxes, {tracks} gives points (a homography makes points of boxes)"
            )
        if not len(table):
            continue  # all beyond the horizon of the homography
        adapt_scale(model, table, "pixels" if by_height else card["unit"])
        found = forecast_table(
            model,
            table,
            observed=observed,
            every=every or model.horizon,
            neighbours=int(card["neighbours"]),
            by_height=by_height,
        )
        clock = clocks[table.recording]
        frame_step = max(1, round(step / clock.seconds_per_frame))
        report.forecasts += [
            replace(f, frame=clock.frame_at(f.moment_seconds), frame_step=frame_step) for f in found
        ]
        report.short_tracks += _short(table, {f.track_id for f in found}, observed)
    if not report.forecasts:
        raise DatasetError(f"{tracks}: no track lasts {observed} steps of {step:g} s")
    report.scores = score_forecasts(report.forecasts)
    return report


def write_report(report: ForecastReport, stem: Path, *, modes_in_text: bool) -> None:
    """Writes the tables of a report and adds them to its files.

    Raises:
        OutputError: a file cannot be written.
    """
    found = TrackForecasts(report.forecasts, report.short_tracks, report.gaps, report.scores)
    material = Material(modes_in_text=modes_in_text)
    report.files += write_outputs("forecast", found, stem, ("parquet", "csv", "json"), material)


def _short(table: TrackTable, forecast: set[int], observed: int) -> list[tuple[str, int, int, int]]:
    """The tracks without a forecast and their longest unbroken run of steps."""
    short = []
    for track in np.unique(table.track_ids_R):
        if int(track) not in forecast:
            frames = table.frames_R[table.track_ids_R == track]
            runs = np.split(frames, np.flatnonzero(np.diff(frames) != table.frame_step) + 1)
            short.append((table.recording, int(track), max(map(len, runs)), observed))
    return short


def _with_truth_first(forecasts: list[PathForecast]) -> list[PathForecast]:
    """The forecasts whose whole future is known, for pictures; all of them where there is none."""
    known = [f for f in forecasts if np.isfinite(f.truth_PC).all()]
    return known or forecasts


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "video"
