"""``track``: videos to one table of tracks. A killed run goes on with the videos that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars

from vidlstm.datasets.videos import find_videos
from vidlstm.devices import resolve_device
from vidlstm.errors import VidlstmError
from vidlstm.files import check_inputs, check_writable, files_named, held
from vidlstm.render.draw.track_overlay import draw_tracks
from vidlstm.render.names import output_stems
from vidlstm.settings import TrackingSettings, path_from, settings_from
from vidlstm.structures import Failure
from vidlstm.tracking.run import TrackingReport, TrackingRun, track_videos
from vidlstm.verbs.inputs import videos_from
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
    engine: str = "local",
    address: str | None = None,
    progress: Progress | None = None,
) -> TrackingReport:
    """Tracks the objects in videos, as ``vidlstm track`` does.

    Args:
        videos: files, and folders to search for them.
        out: the table (Parquet); see :func:`~vidlstm.tracking.run.track_videos`.
        settings: the network and the tracker.
        video: draw ``<video>_tracks.mp4`` beside the table.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        engine: local, or ray: a cluster tracks, and finds videos and the network under the same names.
        address: of the cluster, ``HOST:PORT`` or auto; None starts one on this machine.
        progress: told of the report so far, after each frame and each video, and of the videos in all.

    Raises:
        OutputError: another run is writing this table, or a file would be written over an input.
        VidlstmError: see its other subclasses. A video that fails, or cannot be drawn, is listed in the
            report, and does not stop the others.
    """
    device = str(resolve_device(device))
    paths, out = list(dict.fromkeys(find_videos(videos_from(videos, "videos")))), path_from(out, "out")
    settings, drawn = settings_from(TrackingSettings, settings, section=""), dict[Path, Path]()
    check_writable(out.parent)
    if video:
        drawn = {path: out.parent / f"{stem}_tracks.mp4" for path, stem in output_stems(paths).items()}
        check_inputs(drawn.values(), [*paths, *files_named(settings)])
    with held(out):
        report, run, table = track_videos(
            paths,
            out=out,
            settings=settings,
            device=device,
            engine=engine,
            address=address,
            progress=progress,
        )
        for record in report.videos if video else ():
            path = Path(record["video"])
            try:
                _draw(path, record, table, drawn[path], settings, run)
            except (VidlstmError, OSError) as error:
                report.failures.append(Failure(path, "unwritable", str(error)))
            else:
                report.files.append(drawn[path])
    return report


def _draw(
    path: Path,
    record: Mapping[str, Any],
    table: polars.DataFrame,
    target: Path,
    settings: TrackingSettings,
    run: TrackingRun,
) -> None:
    if record["key"] not in run.new and target.is_file():
        return
    rows = table.filter(polars.col("video") == record["video"])
    with open_video(path, decoder=settings.decoder, image_fps=settings.image_fps) as reader:
        draw_tracks(reader, rows, target, fps=record["fps"] or 25.0)
