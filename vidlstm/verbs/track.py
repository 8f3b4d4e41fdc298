"""``track``: videos to one table of tracks. A killed run goes on with the videos that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars

from vidlstm.datasets.videos import find_videos
from vidlstm.devices import resolve_device
from vidlstm.errors import VideoError
from vidlstm.render.draw.track_overlay import draw_tracks
from vidlstm.render.names import output_stems
from vidlstm.settings import TrackingSettings, path_from, settings_from
from vidlstm.tracking.run import TrackingReport, TrackingRun, track_videos
from vidlstm.verbs.inputs import videos_from
from vidlstm.verbs.outputs import check_writable
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vidlstm.tracking.run import Progress


def track(
    videos: Path | str | Sequence[Path | str],
    *,
    out: Path | str = Path("tracks.parquet"),
    settings: TrackingSettings | Mapping[str, Any] | None = None,
    video: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
) -> TrackingReport:
    """Tracks the objects in videos, as ``vidlstm track`` does.

    Args:
        videos: files, and folders to search for them.
        out: the table (Parquet); see :func:`~vidlstm.tracking.run.track_videos`.
        settings: the network and the tracker.
        video: draw ``<video>_tracks.mp4`` beside the table.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: told of the report so far, after each frame and each video, and of the videos in all.

    Raises:
        VidlstmError: see its subclasses. A video that fails is listed in the report, and does not stop the
            others.
    """
    device = str(resolve_device(device))
    paths, out = find_videos(videos_from(videos, "videos")), path_from(out, "out")
    settings = settings_from(TrackingSettings, settings, section="")
    check_writable(out.parent)
    report, run, table = track_videos(paths, out=out, settings=settings, device=device, progress=progress)
    if video:
        _draw(paths, table, report, settings, run)
    return report


def _draw(
    paths: Sequence[Path],
    table: polars.DataFrame,
    report: TrackingReport,
    settings: TrackingSettings,
    run: TrackingRun,
) -> None:
    stems = output_stems(list(dict.fromkeys(paths)))
    for record in report.videos:
        path = Path(record["video"])
        target = run.out.parent / f"{stems[path]}_tracks.mp4"
        if target.resolve() == path.resolve():
            raise VideoError(path, reason="unwritable", detail="it would be overwritten; use another `out`")
        if record["key"] in run.new or not target.is_file():
            rows = table.filter(polars.col("video") == record["video"])
            with open_video(path, decoder=settings.decoder, image_fps=settings.image_fps) as reader:
                draw_tracks(reader, rows, target, fps=record["fps"] or 25.0)
        report.files.append(target)
