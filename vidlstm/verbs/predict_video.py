"""``predict`` with a trajectory checkpoint and videos: track, forecast every object at every step, draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars

from vidlstm.datasets.homography import project, read_homography
from vidlstm.errors import VideoError
from vidlstm.render.draw.forecast_overlay import draw_forecasts
from vidlstm.render.names import output_stems
from vidlstm.verbs.predict_trajectory import ForecastReport, forecast_all, write_report
from vidlstm.verbs.track import TrackingReport, track
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.settings import TrackingSettings


@dataclass
class VideoForecastReport(ForecastReport):
    """A forecast report, and that of the tracking before it."""

    tracking: TrackingReport = field(default_factory=TrackingReport)


def predict_video(
    checkpoint: Path,
    videos: Sequence[Path],
    *,
    out: Path,
    tracking: TrackingSettings,
    every: int = 1,
    homography: Path | None = None,
    video: bool = True,
    device: str | None = None,
    progress: Callable[[TrackingReport, int], None] | None = None,
) -> VideoForecastReport:
    """Says where each object in videos will be, from every step on.

    Args:
        checkpoint: what ``train --task trajectory`` wrote; the length of a step is its own, in seconds.
        videos: files, and folders to search for them.
        out: takes ``tracks.parquet`` and ``.json``, ``forecasts.parquet``, ``.csv``, ``.json`` (the last
            two without the K futures), ``forecasts_scores.json``, ``forecasts_short_tracks.csv``,
            ``forecasts_gaps.csv`` and ``<video>_forecast.mp4``.
        tracking: the network and the tracker.
        every: forecast from every so many steps.
        homography: pixels to metres, for a checkpoint in metres.
        video: draw the MP4s.
        device: of the detector; None takes a GPU where there is one.
        progress: told of the tracking.

    Raises:
        VidlstmError: see its subclasses. A video that fails is listed in ``tracking``.
    """
    out = Path(out)
    tracks = out / "tracks.parquet"
    done = track(videos, out=tracks, settings=tracking, device=device, progress=progress)
    found = forecast_all(checkpoint, tracks, every=every, homography=homography)
    report = VideoForecastReport(**vars(found), tracking=done)
    report.files = [*done.files]
    write_report(report, out / "forecasts", modes_in_text=False)
    if video:
        _draw(report, tracks, out, tracking, homography)
    return report


def _draw(
    report: VideoForecastReport,
    tracks: Path,
    out: Path,
    settings: TrackingSettings,
    homography: Path | None,
) -> None:
    table = polars.read_parquet(tracks)
    records = {record["video"]: record for record in report.tracking.videos}
    stems = output_stems([Path(name) for name in records])
    back = None if homography is None else np.linalg.inv(read_homography(homography))
    for name, record in records.items():
        target = out / f"{stems[Path(name)]}_forecast.mp4"
        if target.resolve() == Path(name).resolve():
            raise VideoError(name, reason="unwritable", detail="it would be overwritten; use another --out")
        with open_video(Path(name), decoder=settings.decoder, image_fps=settings.image_fps) as reader:
            draw_forecasts(
                reader,
                table.filter(polars.col("video") == name),
                [f for f in report.forecasts if f.recording == name],
                target,
                fps=record["fps"] or 25.0,
                place=(lambda p: p) if back is None else lambda p: project(p, back),
            )
        report.files.append(target)
