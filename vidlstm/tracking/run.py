"""Videos to one tracks table: a part on disk for each finished video, then the table and its ledger.

A killed run goes on with the videos that are missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars

from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.datasets.tracks_parquet import SCHEMA, read_tracks_frame
from vidlstm.devices import resolve_device
from vidlstm.errors import DatasetError, SettingsError, VideoError
from vidlstm.files import check_inputs, clear_leftovers, files_named, write_json, write_text, write_whole
from vidlstm.structures import Failure
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.mot_boxes import MotBoxes, read_mot_boxes
from vidlstm.tracking.track_video import VideoSummary, track_video
from vidlstm.video.hashing import hash_within
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler

if TYPE_CHECKING:
    import numpy as np
    import torch

    from vidlstm.settings import TrackingSettings


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


Progress = Callable[[TrackingReport, int], None]
"""Told of the report so far, after each frame and each video, and of the videos in all."""

NO_SOURCE = "give either `weights FILE` (a YOLO network) or `boxes FILE` (MOT text)"

FORMAT = 2
"""Rises when the same video and settings would give other tracks."""
BOXES_FORMAT = 2
"""Likewise of boxes made elsewhere: from 2 on confidences are read by their scale, and boxes outside the
picture are left out."""


def detector_of(settings: TrackingSettings, device: torch.device) -> Detector:
    """The network that finds objects.

    Raises:
        SettingsError: no network is named.
        WeightsError: it cannot be read.
    """
    if settings.weights is None:
        raise SettingsError(NO_SOURCE, setting="weights")
    return Detector(
        load_yolo(Path(settings.weights), trust=settings.trust),
        image_size=settings.image_size,
        confidence=settings.confidence,
        classes=settings.classes or (),
        device=device,
    )


def track_source(
    video: Path | np.ndarray,
    name: str,
    boxes: Detector | MotBoxes,
    settings: TrackingSettings,
    *,
    image_fps: float | None = None,
    progress: Callable[[VideoSummary], None] | None = None,
) -> tuple[polars.DataFrame, VideoSummary]:
    """Tracks the objects of one video; nothing is written.

    Args:
        video: a file, a folder of images, or RGB uint8 frames ``(T, H, W, 3)``.
        name: of the video, for the table.
        boxes: where its boxes come from.
        settings: of the tracker.
        image_fps: the rate of images and frames; None takes that of the settings.
        progress: told of each frame.

    Raises:
        VideoError: the video cannot be read, or holds no frame.
    """
    opened = partial(
        open_video,
        video,
        decoder=settings.decoder,
        image_fps=image_fps or settings.image_fps,
        wanted=SteadySampler(settings.fps) if settings.fps else None,
    )
    return track_video(
        opened,
        name,
        boxes,
        tracker=settings.tracker,
        lost_seconds=settings.lost_seconds,
        start_confidence=settings.start_confidence,
        weigh_overlap=settings.weigh_overlap,
        batch_size=settings.batch_size,
        timeout_seconds=settings.timeout_seconds,
        progress=progress,
    )


class TrackingRun:
    """One table under way: its source of boxes, its finished parts and its ledger.

    Args:
        out: the table.
        settings: the network and the tracker.
        device: such as cpu or cuda:1; None takes a GPU where there is one.

    Attributes:
        out, ledger: the table, and the JSON beside it.
        new: keys of the videos that were tracked in this run.

    Raises:
        SettingsError: the table is no Parquet file, or there is not exactly one source of boxes.
    """

    def __init__(self, out: Path, settings: TrackingSettings, device: str | None) -> None:
        self.out, self.ledger = out, out.with_suffix(".json")
        if out.suffix != ".parquet":
            raise SettingsError(f"`out` {out}: a tracks table is a Parquet file; end its name in .parquet")
        if (settings.weights is None) == (not settings.boxes):
            raise SettingsError(NO_SOURCE, setting="weights")
        self._settings, self._parts = settings, out.with_name(f".{out.name}.parts")
        self._device = resolve_device(device)
        self._detector: Detector | None = None
        self._earlier = self._read_ledger()
        self.new: set[str] = set()

    def sources(self, paths: Sequence[Path]) -> dict[Path, Path]:
        """The file each video's boxes come from: its own MOT file, or the network's weights."""
        settings = self._settings
        if settings.boxes:
            if len(settings.boxes) != len(paths):
                raise SettingsError(
                    f"`boxes` names {len(settings.boxes)} files for {len(paths)} videos; one each"
                )
            return dict(zip(paths, map(Path, settings.boxes), strict=True))
        assert settings.weights is not None
        self._detector = detector_of(settings, self._device)
        return dict.fromkeys(paths, Path(settings.weights))

    def one(self, path: Path, source: Path, progress: Callable[[VideoSummary], None]) -> dict[str, Any]:
        """The record of one video, which is tracked where no earlier run has done it."""
        video_hash = hash_within(path, self._settings.timeout_seconds)
        key = self._key(path, video_hash, source)
        part = self._parts / f"{key}.json"
        if record := self._finished_part(part) or self._earlier.get(key):
            return record
        table, summary = track_source(
            path, str(path), self._detector or read_mot_boxes(source), self._settings, progress=progress
        )
        record = {"video": str(path), "sha256": video_hash, "key": key, **summary.as_dict()}
        write_whole(table.write_parquet, part.with_suffix(".parquet"))
        write_text(json.dumps(record) + "\n", part)
        self.new.add(key)
        return record

    def finish(self, records: list[dict[str, Any]], failures: list[dict[str, str]]) -> polars.DataFrame:
        """Joins the parts to the table, writes table and ledger, and takes the parts away."""
        earlier = polars.read_parquet(self.out) if self._earlier else polars.DataFrame(schema=SCHEMA)
        tables = []
        for record in records:
            part = self._parts / f"{record['key']}.parquet"
            found = earlier.filter(polars.col("video") == record["video"])
            tables.append(polars.read_parquet(part) if part.is_file() else found)
        table = polars.concat(tables, how="diagonal") if tables else polars.DataFrame(schema=SCHEMA)
        write_whole(table.write_parquet, self.out)
        settings = {**self._spec(), "weights_sha256": self._weights_sha256()}
        ledger = {"settings": settings, "videos": records, "failures": failures}
        write_json(ledger, self.ledger)
        shutil.rmtree(self._parts, ignore_errors=True)
        return table

    def _spec(self) -> dict[str, Any]:
        s = self._settings
        return {
            "format": FORMAT,
            **({"boxes_format": BOXES_FORMAT} if s.boxes else {}),
            "weights": str(s.weights) if s.weights else None,
            "tracker": s.tracker,
            "classes": s.classes,
            "confidence": s.confidence,
            "image_size": s.image_size,
            "lost_seconds": s.lost_seconds,
            "start_confidence": s.start_confidence,
            "weigh_overlap": s.weigh_overlap,
            "fps": s.fps,
            "decoder": s.decoder,
            "image_fps": s.image_fps,
            "ultralytics": str(ultralytics_module("ultralytics").__version__),
        }

    def _weights_sha256(self) -> str | None:
        return sha256_of(Path(self._settings.weights)) if self._settings.weights else None

    def _key(self, path: Path, video_hash: str, source: Path) -> str:
        if not source.is_file():
            raise SettingsError(f"{source}: no such file")
        spec = {**self._spec(), "weights": sha256_of(source), "video": str(path), "sha256": video_hash}
        return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]

    def _finished_part(self, part: Path) -> dict[str, Any] | None:
        """The record of a video that a run before this one finished, where its rows are there."""
        try:
            record: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
            rows = len(read_tracks_frame(part.with_suffix(".parquet"), empty=True))
            return record if VideoSummary.knows(record) and rows == record["rows"] else None
        except (OSError, ValueError, LookupError, TypeError, DatasetError):
            return None  # there is none, or not all of it

    def _read_ledger(self) -> dict[str, dict[str, Any]]:
        """The records of an earlier run, by key, as far as the table has their rows."""
        try:
            records = json.loads(self.ledger.read_text(encoding="utf-8"))["videos"]
            counts = read_tracks_frame(self.out, empty=True)["video"].value_counts()
            rows = dict(counts.iter_rows())
            return {
                record["key"]: record
                for record in records
                if VideoSummary.knows(record) and rows.get(record["video"], 0) == record["rows"]
            }
        except (OSError, ValueError, LookupError, TypeError, DatasetError):
            return {}  # there is none, or it is not ours: every video is tracked


def track_videos(
    paths: Sequence[Path],
    *,
    out: Path,
    settings: TrackingSettings,
    device: str | None = None,
    progress: Progress | None = None,
) -> tuple[TrackingReport, TrackingRun, polars.DataFrame]:
    """Tracks the objects in videos.

    Args:
        paths: the videos.
        out: the table (Parquet), which the caller holds; see :func:`~vidlstm.files.held`. Beside it
            ``<stem>.json`` says what became of every video and its frames; while the run lasts, finished
            videos wait in ``.<name>.parts``.
        settings: the network and the tracker.
        device: such as cpu or cuda:1; None takes a GPU where there is one.
        progress: see ``Progress``.

    Returns:
        The report, the run that made it, and the table. A video that fails is listed and does not stop the
        others.

    Raises:
        VidlstmError: see its subclasses.
    """
    paths = list(dict.fromkeys(paths))
    started, run = time.monotonic(), TrackingRun(Path(out), settings, device)
    check_inputs([run.out, run.ledger], [*paths, *files_named(settings)])
    clear_leftovers(run.out.parent)
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
    report.seconds = time.monotonic() - started
    return report, run, table
