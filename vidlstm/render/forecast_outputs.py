"""What forecasts of tracks become: tables of all of them, and a picture and a video for each recording."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vidlstm.files import write_csv, write_json
from vidlstm.render.material import Material, one_file, write_all
from vidlstm.render.names import output_stems, safe, with_ending
from vidlstm.structures import PathForecast, TrackForecasts

SHORT_COLUMNS = ("recording", "track_id", "steps", "needed")
GAP_COLUMNS = ("recording", "track_id", "start_seconds", "end_seconds", "filled")


def recordings_of(found: TrackForecasts, material: Material) -> list[str]:
    """The recordings that forecasts are about: those the material names, then all others."""
    others = [f.recording for f in found.forecasts]
    others += [row[0] for rows in (found.short_tracks, found.gaps) for row in rows]
    return list(dict.fromkeys([*material.fps, *others]))


def csv_files(stem: Path, recordings: Sequence[str]) -> list[Path]:
    """Of the forecasts, of the tracks too short for any, and of the gaps."""
    return [with_ending(stem, ending) for ending in (".csv", "_short_tracks.csv", "_gaps.csv")]


def json_files(stem: Path, recordings: Sequence[str]) -> list[Path]:
    """Of the forecasts and of the scores."""
    return [with_ending(stem, ending) for ending in (".json", "_scores.json")]


def png_files(stem: Path, recordings: Sequence[str]) -> list[Path]:
    """One a recording, ``<stem>_<recording>.png``."""
    names = output_stems([Path(recording) for recording in recordings])
    files: list[Path] = []
    for recording in recordings:
        name = safe(names[Path(recording)])
        while with_ending(stem, f"_{name}.png") in files:  # "a b" and "a_b" are alike now
            name += "_"
        files.append(with_ending(stem, f"_{name}.png"))
    return files


def mp4_files(stem: Path, recordings: Sequence[str]) -> list[Path]:
    """One a recording, ``<recording>_forecast.mp4`` in the folder of ``stem``."""
    names = output_stems([Path(recording) for recording in recordings])
    return [stem.with_name(f"{names[Path(recording)]}_forecast.mp4") for recording in recordings]


@one_file("parquet")
def as_parquet(found: TrackForecasts, path: Path, material: Material) -> None:
    """Every step of every path; see ``docs/trajectory.md``."""
    from vidlstm.render.table.forecast_tables import forecast_frame, write_forecasts_parquet

    write_forecasts_parquet(forecast_frame(found.forecasts), path)


def as_csv(found: TrackForecasts, stem: Path, material: Material) -> list[Path]:
    """The same as text, and what was not forecast."""
    from vidlstm.render.table.forecast_tables import forecast_frame, one_path, write_forecasts_csv

    table = forecast_frame(found.forecasts)
    rows, short, gaps = csv_files(stem, ())
    write_forecasts_csv(table if material.modes_in_text else one_path(table), rows)
    write_csv(SHORT_COLUMNS, found.short_tracks, short)
    write_csv(GAP_COLUMNS, found.gaps, gaps)
    return [rows, short, gaps]


def as_json(found: TrackForecasts, stem: Path, material: Material) -> list[Path]:
    """The same as text, and the scores."""
    from vidlstm.render.table.forecast_tables import forecast_frame, one_path, write_forecasts_json

    table = forecast_frame(found.forecasts)
    rows, scores = json_files(stem, ())
    write_forecasts_json(table if material.modes_in_text else one_path(table), rows)
    write_json(found.scores, scores)
    return [rows, scores]


def as_png(found: TrackForecasts, stem: Path, material: Material) -> list[Path]:
    """A picture of some forecasts of each recording that has any."""
    recordings = recordings_of(found, material)
    pairs = zip(recordings, png_files(stem, recordings), strict=True)
    forecasts = _by_recording(found)
    return write_all(partial(_picture, forecasts[r], path) for r, path in pairs if r in forecasts)


def _picture(forecasts: list[PathForecast], path: Path) -> list[Path]:
    """Those whose whole future is known, where there are any."""
    from vidlstm.render.plot.forecast_paths import plot_forecasts

    known = [f for f in forecasts if np.isfinite(f.truth_PC).all()]
    plot_forecasts(known or forecasts, path)
    return [path]


def as_mp4(found: TrackForecasts, stem: Path, material: Material) -> list[Path]:
    """Each recording with its tracks and forecasts drawn on it."""
    recordings = recordings_of(found, material)
    pairs = zip(recordings, mp4_files(stem, recordings), strict=True)
    forecasts = _by_recording(found)
    return write_all(partial(_video, forecasts.get(r, []), r, path, material) for r, path in pairs)


def _video(forecasts: list[PathForecast], recording: str, path: Path, material: Material) -> list[Path]:
    from vidlstm.render.draw.forecast_overlay import draw_forecasts

    to_picture = material.to_picture or (lambda positions: positions)
    with material.footage(recording) as (frames, fps):
        rows = material.rows(recording, frames.scale)

        def place(positions: np.ndarray) -> np.ndarray:
            return to_picture(positions) * frames.scale

        draw_forecasts(frames, rows, forecasts, path, fps=fps, place=place)
    return [path]


def _by_recording(found: TrackForecasts) -> dict[str, list[PathForecast]]:
    forecasts: dict[str, list[PathForecast]] = {}
    for forecast in found.forecasts:
        forecasts.setdefault(forecast.recording, []).append(forecast)
    return forecasts
