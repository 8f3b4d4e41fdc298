"""What a tracking run keeps on disk: a part for each finished video, then one table and its ledger."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars
import torch

from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.datasets.tracks_parquet import SCHEMA
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.spec import hash_video
from vidlstm.files import atomic, write_json, write_text
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.mot_boxes import read_mot_boxes
from vidlstm.tracking.track_video import VideoSummary, track_video
from vidlstm.video.container import check_is_file
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vidlstm.settings import TrackingSettings

FORMAT = 1
"""Rises when the same video and settings would give other tracks."""


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
                raise SettingsError(
                    f"--boxes names {len(settings.boxes)} files for {len(paths)} videos; one each"
                )
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

    def one(self, path: Path, source: Path, progress: Callable[[VideoSummary], None]) -> dict[str, Any]:
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
            partial(
                open_video,
                path,
                decoder=settings.decoder,
                image_fps=settings.image_fps,
                wanted=self._wanted(),
            ),
            str(path),
            self._detector or read_mot_boxes(source),
            tracker=settings.tracker,
            fps=settings.fps,
            lost_seconds=settings.lost_seconds,
            start_confidence=settings.start_confidence,
            weigh_overlap=settings.weigh_overlap,
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

    def finish(self, records: list[dict[str, Any]], failures: list[dict[str, str]]) -> polars.DataFrame:
        """Joins the parts to the table, writes table and ledger, and takes the parts away."""
        earlier = polars.read_parquet(self.out) if self._earlier else polars.DataFrame(schema=SCHEMA)
        tables = []
        for record in records:
            part = self._parts / f"{record['key']}.parquet"
            found = earlier.filter(polars.col("video") == record["video"])
            tables.append(polars.read_parquet(part) if part.is_file() else found)
        table = polars.concat(tables, how="diagonal") if tables else polars.DataFrame(schema=SCHEMA)
        with atomic(self.out) as temporary:
            table.write_parquet(temporary)
        settings = {**self._spec(), "weights_sha256": self._weights_sha256()}
        ledger = {"settings": settings, "videos": records, "failures": failures}
        write_json(ledger, self.ledger)
        shutil.rmtree(self._parts, ignore_errors=True)
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

    def _read_ledger(self) -> dict[str, dict[str, Any]]:
        try:
            records = json.loads(self.ledger.read_text(encoding="utf-8"))["videos"]
            return {record["key"]: record for record in records} if self.out.is_file() else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # there is none, or it is not ours: every video is tracked
