"""How a video is tracked and known again, and the engine of this machine: one video after another.

An engine says of every video what became of it; it writes nothing. ``run.py`` does, so that every engine
leaves the same table.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidlstm.backbones.weights import sha256_of
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.devices import resolve_device
from vidlstm.errors import SettingsError, VideoError
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.mot_boxes import MotBoxes, read_mot_boxes
from vidlstm.tracking.track_video import VideoSummary, track_video
from vidlstm.video.hashing import hash_within
from vidlstm.video.reader import open_video
from vidlstm.video.sampling import SteadySampler

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import numpy as np
    import polars
    import torch

    from vidlstm.settings import TrackingSettings

NO_SOURCE = "give either `weights FILE` (a YOLO network) or `boxes FILE` (MOT text)"

FORMAT = 2
"""Rises when the same video and settings would give other tracks."""
BOXES_FORMAT = 2
"""Likewise of boxes made elsewhere: from 2 on confidences are read by their scale, and boxes outside the
picture are left out."""


def spec_of(settings: TrackingSettings) -> dict[str, Any]:
    """All that changes the tracks of a video, in plain JSON values."""
    s = settings
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


def key_of(settings: TrackingSettings, path: Path, video_hash: str, source: Path) -> str:
    """What a video is known by, tracked with these settings.

    Args:
        settings: the network and the tracker.
        path: the video.
        video_hash: of its bytes.
        source: the file its boxes come from.

    Raises:
        SettingsError: that is not there.
    """
    if not source.is_file():
        raise SettingsError(f"{source}: no such file")
    spec = {**spec_of(settings), "weights": sha256_of(source), "video": str(path), "sha256": video_hash}
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


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


@dataclass(frozen=True)
class Tracking:
    """Videos to be tracked.

    Attributes:
        sources: of each video the file its boxes come from, its own MOT file or the network's weights.
        settings: the network and the tracker.
        device: such as cpu or cuda:1.
        known: keys of the videos that an earlier run has finished.
    """

    sources: Mapping[Path, Path]
    settings: TrackingSettings
    device: str
    known: frozenset[str]


@dataclass(frozen=True, eq=False)
class TrackedVideo:
    """A video that was tracked, now or earlier.

    Attributes:
        key: of the video and all that its tracks depend on.
        record: its name, hash and key, and a :class:`VideoSummary`; empty where an earlier run has it.
        table: its tracks; None likewise.
    """

    key: str
    record: dict[str, Any]
    table: polars.DataFrame | None


Outcome = TrackedVideo | VideoError


class VideoTracker:
    """Tracks one video after another with a network that is loaded once.

    Args:
        todo: the videos; they may be asked for in any order.

    Raises:
        SettingsError: no network is named.
        WeightsError: it cannot be read.
    """

    def __init__(self, todo: Tracking) -> None:
        self._todo = todo
        settings = todo.settings
        self._detector = None if settings.boxes else detector_of(settings, resolve_device(todo.device))

    def __call__(self, path: Path, progress: Callable[[VideoSummary], None]) -> Outcome:
        """What became of a video; one that an earlier run has finished is only looked up.

        Args:
            path: the video.
            progress: told of each frame.

        Raises:
            VidlstmError: it is not the video's fault; see its subclasses.
        """
        settings, source = self._todo.settings, self._todo.sources[path]
        try:
            video_hash = hash_within(path, settings.timeout_seconds)
            key = key_of(settings, path, video_hash, source)
            if key in self._todo.known:
                return TrackedVideo(key, {}, None)
            boxes = self._detector or read_mot_boxes(source)
            table, summary = track_source(path, str(path), boxes, settings, progress=progress)
        except VideoError as error:
            return error
        record = {"video": str(path), "sha256": video_hash, "key": key, **summary.as_dict()}
        return TrackedVideo(key, record, table)


def tracked_here(
    todo: Tracking, progress: Callable[[Path, int], None]
) -> Generator[tuple[Path, Outcome], None, None]:
    """Tracks videos on this machine, in order.

    Args:
        todo: the videos.
        progress: told of each frame: the video, and its frames so far.

    Yields:
        Each video, and what became of it.

    Raises:
        VidlstmError: see :class:`VideoTracker`.
    """
    track = VideoTracker(todo)

    def tell(summary: VideoSummary) -> None:
        progress(path, summary.frames)

    for path in todo.sources:
        yield path, track(path, tell)
