"""``track``: videos to one table of tracks. A killed run goes on with the videos that are missing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars

from vidlstm.errors import VideoError
from vidlstm.render.draw.track_overlay import draw_tracks
from vidlstm.render.names import output_stems
from vidlstm.structures import Failure
from vidlstm.verbs.extract import find_videos
from vidlstm.verbs.track_parts import TrackingRun
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.settings import TrackingSettings
    from vidlstm.tracking.track_video import VideoSummary


@dataclass
class TrackingReport:
    """What a run did.

    Attributes:
        videos: one record a video in the table: its name, hash and key, and a :class:`VideoSummary`.
        failures: the videos that gave no tracks, or (``truncated``) only those of their good beginning.
        files: what was written.
        tracked, found: videos newly tracked, and those that an earlier run had finished.
        frames: frames looked at in this run, so far.
        seconds: wall time.
    """

    videos: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    tracked: int = 0
    found: int = 0
    frames: int = 0
    seconds: float = 0.0


def track(
    videos: Sequence[Path],
    *,
    out: Path,
    settings: TrackingSettings,
    video: bool = False,
    device: str | None = None,
    progress: Callable[[TrackingReport, int], None] | None = None,
) -> TrackingReport:
    """Tracks the objects in videos.

    Args:
        videos: files, and folders to search for them.
        out: the table (Parquet). Beside it ``<stem>.json`` says what became of every video and its frames;
            while the run lasts, finished videos wait in ``.<name>.parts``.
        settings: the network and the tracker.
        video: draw ``<video>_tracks.mp4`` beside the table.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the report so far, after each frame and each video, and of the videos in all.

    Raises:
        VidlstmError: see its subclasses. A video that fails is listed in the report, and does not stop the
            others.
    """
    paths = list(dict.fromkeys(find_videos([Path(v) for v in videos])))
    started, run = time.monotonic(), TrackingRun(Path(out), settings, device)
    report = TrackingReport()
    sources = run.sources(paths)
    for path in paths:
        frames = report.frames

        def tell(summary: VideoSummary, frames: int = frames) -> None:
            report.frames, report.seconds = frames + summary.frames, time.monotonic() - started
            if progress:
                progress(report, len(paths))

        try:
            record = run.one(path, sources[path], tell)
        except VideoError as error:
            detail = f"{error.detail} (after {error.frame} frames)" if error.frame else error.detail
            report.failures.append(Failure(path, error.reason, detail))
            continue
        report.videos.append(record)
        report.tracked = len(run.new)
        report.found = len(report.videos) - report.tracked
        if record["truncated"]:
            report.failures.append(Failure(path, "truncated", record["truncated"]))
        if progress:
            progress(report, len(paths))
    failures = [{"video": str(f.path), "reason": f.reason, "detail": f.detail} for f in report.failures]
    table = run.finish(report.videos, failures)
    report.files += [run.out, run.ledger]
    if video:
        _draw(paths, table, report, settings, run)
    report.seconds = time.monotonic() - started
    return report


def _draw(
    paths: Sequence[Path],
    table: polars.DataFrame,
    report: TrackingReport,
    settings: TrackingSettings,
    run: TrackingRun,
) -> None:
    stems = output_stems(paths)
    for record in report.videos:
        path = Path(record["video"])
        target = run.out.parent / f"{stems[path]}_tracks.mp4"
        if target.resolve() == path.resolve():
            raise VideoError(path, reason="unwritable", detail="it would be overwritten; use another --out")
        if record["key"] in run.new or not target.is_file():
            rows = table.filter(polars.col("video") == record["video"])
            with open_video(path, decoder=settings.decoder, image_fps=settings.image_fps) as reader:
                draw_tracks(reader, rows, target, fps=record["fps"] or 25.0)
        report.files.append(target)
