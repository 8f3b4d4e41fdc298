"""``track``: videos to one table of tracks. A killed run goes on with the videos that are missing."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars
import torch

from vidlstm.backbones.ultralytics_quiet import ultralytics_module
from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo_model import load_yolo
from vidlstm.datasets.tracks_parquet import SCHEMA
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.extract import Failure
from vidlstm.features.spec import hash_video
from vidlstm.render.files import atomic, write_text
from vidlstm.render.track_overlay import draw_tracks
from vidlstm.settings import TrackingSettings
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.mot_boxes import MotBoxes, read_mot_boxes
from vidlstm.tracking.track_video import VideoSummary, track_video
from vidlstm.video.container import check_is_file
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler
from vidlstm.workflows.extract import find_videos
from vidlstm.workflows.predict_action import output_stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT = 1
"""Rises when the same video and settings would give other tracks."""


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
        VidlstmError: see its subclasses. A video that fails is listed in the report, and does not stop the others.
    """
    paths = list(dict.fromkeys(find_videos([Path(v) for v in videos])))
    started, run = time.monotonic(), _Run(Path(out), settings, device)
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
    table = run.finish(report)
    if video:
        _draw(paths, table, report, settings, run)
    report.seconds = time.monotonic() - started
    return report


class _Run:
    """The parts and the ledger of one table."""

    def __init__(self, out: Path, settings: TrackingSettings, device: str | None) -> None:
        self.out, self.ledger = out, out.with_suffix(".json")
        if out.suffix != ".parquet":
            raise SettingsError(f"--out {out}: a tracks table is a Parquet file; end its name in .parquet")
        if (settings.weights is None) == (not settings.boxes):
            raise SettingsError("give either --weights FILE (a YOLO network) or --boxes FILE (MOT text)")
        self._settings, self._parts = settings, out.with_name(f".{out.name}.parts")
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._detector: Detector | None = None
        self._earlier = self._read_ledger()
        self.new: set[str] = set()

    def sources(self, paths: Sequence[Path]) -> dict[Path, Path]:
        """The file each video's boxes come from: its own MOT file, or the network's weights."""
        settings = self._settings
        if settings.boxes:
            if len(settings.boxes) != len(paths):
                raise SettingsError(f"--boxes names {len(settings.boxes)} files for {len(paths)} videos; one each")
            return dict(zip(paths, map(Path, settings.boxes), strict=True))
        assert settings.weights is not None
        weights = Path(settings.weights)
        self._detector = Detector(
            load_yolo(weights, trust=settings.trust),
            image_size=settings.image_size,
            confidence=settings.confidence,
            classes=settings.classes or (),
            device=self._device,
        )
        return dict.fromkeys(paths, weights)

    def one(
        self, path: Path, source: Path, progress: Callable[[VideoSummary], None]
    ) -> dict[str, Any]:
        """The record of one video, which is tracked where no earlier run has done it."""
        if not path.is_dir():
            check_is_file(path)
        try:
            video_hash = hash_video(path)
        except OSError as error:
            raise VideoError(path, reason="unreadable", detail=error.strerror or str(error)) from error
        key = self._key(path, video_hash, source)
        part = self._parts / f"{key}.json"
        if part.is_file():
            return dict(json.loads(part.read_text(encoding="utf-8")))
        if key in self._earlier:
            return self._earlier[key]
        settings = self._settings
        table, summary = track_video(
            partial(open_video, path, decoder=settings.decoder, image_fps=settings.image_fps, wanted=self._wanted()),
            str(path),
            self._detector or read_mot_boxes(source),
            tracker=settings.tracker,
            fps=settings.fps,
            lost_seconds=settings.lost_seconds,
            batch_size=settings.batch_size,
            timeout_seconds=settings.timeout_seconds,
            progress=progress,
        )
        record = {"video": str(path), "sha256": video_hash, "key": key, **summary.as_dict()}
        with atomic(part.with_suffix(".parquet")) as temporary:
            table.write_parquet(temporary)
        write_text(json.dumps(record) + "\n", part)
        self.new.add(key)
        return record

    def finish(self, report: TrackingReport) -> polars.DataFrame:
        """Joins the parts to the table, writes table and ledger, and takes the parts away."""
        earlier = polars.read_parquet(self.out) if self._earlier else polars.DataFrame(schema=SCHEMA)
        tables = []
        for record in report.videos:
            part = self._parts / f"{record['key']}.parquet"
            found = earlier.filter(polars.col("video") == record["video"])
            tables.append(polars.read_parquet(part) if part.is_file() else found)
        table = polars.concat(tables, how="diagonal") if tables else polars.DataFrame(schema=SCHEMA)
        with atomic(self.out) as temporary:
            table.write_parquet(temporary)
        failures = [{"video": str(f.path), "reason": f.reason, "detail": f.detail} for f in report.failures]
        ledger = {"settings": self._spec(), "videos": report.videos, "failures": failures}
        write_text(json.dumps(ledger, indent=1) + "\n", self.ledger)
        shutil.rmtree(self._parts, ignore_errors=True)
        report.files += [self.out, self.ledger]
        return table

    def _wanted(self) -> Callable[[float], bool] | None:
        return SteadySampler(self._settings.fps) if self._settings.fps else None

    def _spec(self) -> dict[str, Any]:
        s = self._settings
        return {
            "format": FORMAT,
            "weights": str(s.weights) if s.weights else None,
            "tracker": s.tracker,
            "classes": s.classes,
            "confidence": s.confidence,
            "image_size": s.image_size,
            "lost_seconds": s.lost_seconds,
            "fps": s.fps,
            "decoder": s.decoder,
            "image_fps": s.image_fps,
            "ultralytics": str(ultralytics_module("ultralytics").__version__),
        }

    def _key(self, path: Path, video_hash: str, source: Path) -> str:
        if not source.is_file():
            raise SettingsError(f"{source}: no such file")
        spec = {**self._spec(), "weights": sha256_of(source), "video": str(path), "sha256": video_hash}
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]

    def _read_ledger(self) -> dict[str, dict[str, Any]]:
        try:
            records = json.loads(self.ledger.read_text(encoding="utf-8"))["videos"]
            return {record["key"]: record for record in records} if self.out.is_file() else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # there is none, or it is not ours: every video is tracked


def _draw(
    paths: Sequence[Path], table: polars.DataFrame, report: TrackingReport, settings: TrackingSettings, run: _Run
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
