"""The extraction pipeline: decode ∥ backbone ∥ write.

Decode processes fill one queue; frames of all videos share batches, which always have one shape (the last
is padded), so that features do not depend on what else was in the batch; each video's features go to its
own file as they come. It prints nothing: a callback is told of the progress.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.addresses import address, is_remote
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.files import listing
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.decode_pool import Decoded, DecodePool, Ended, Event, Failed, Hashed, Opened
from vidlstm.features.lanes import Lanes
from vidlstm.features.remote_videos import known_hash
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.files import scratch, unwritable
from vidlstm.structures import Failure
from vidlstm.video.hashing import hash_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.crops import Crops
    from vidlstm.features.store import FeatureWriter
    from vidlstm.settings import SamplingSettings
    from vidlstm.structures import Progress

MOST_WORKERS = 16
"""A frame costs this process a tenth of a millisecond, so more than this could not be served; each takes
some 100 MB."""


@dataclass
class ExtractionReport:
    """What an extraction did.

    Attributes:
        hashes: video path to the hash its features are stored under; the truncated ones too.
        failures: what went wrong, in the order of the paths.
        extracted, found: videos newly done, and videos whose features were there already.
        features: feature vectors computed.
        expected: as the headers of the videos opened so far claim, so many of them; a hint for a bar.
        seconds: wall time.
    """

    hashes: dict[Path, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    extracted: int = 0
    found: int = 0
    features: int = 0
    expected: int = 0
    seconds: float = 0.0

    @property
    def unreadable(self) -> list[Failure]:
        """The failures that left no features at all."""
        return [f for f in self.failures if f.reason != "truncated"]


def default_workers() -> int:
    """One decode process per core this process may use, at most ``MOST_WORKERS``."""
    return min(MOST_WORKERS, available_cores())


def extract_features(
    paths: Sequence[Path],
    store: FeatureStore,
    backbone: Backbone,
    *,
    decoder: str = "auto",
    workers: int = 0,
    timeout_seconds: float = 60.0,
    batch_size: int = 32,
    crops: Mapping[Path, Crops] | None = None,
    copies: Path | None = None,
    progress: Callable[[ExtractionReport], None] | None = None,
) -> ExtractionReport:
    """Extracts the features of videos that the store does not hold yet.

    Args:
        paths: videos; the same path twice is done once.
        store: takes the features, at the sampling of its spec.
        backbone: what the store's spec was made from.
        decoder: see ``SamplingSettings``.
        workers: decode processes; 0 for :func:`default_workers`.
        timeout_seconds: longest wait for a frame.
        batch_size: frames per forward pass.
        crops: of each video, what is cut out of it instead of frames at a steady rate; one feature a box, in
            the order of the frames and of the boxes of each, stored under :meth:`Crops.key_of`.
        copies: keeps the videos that are downloaded; None deletes each when it has been decoded.
        progress: called after every video and every batch with the report so far.

    Returns:
        The report. A video that fails does not stop the others.

    Warns:
        UserWarning: of what the readers had to tell, all videos together.
    """
    assert store.spec.backbone == backbone.spec
    unique = list(dict.fromkeys(Path(p) for p in paths))
    store.remove_leftovers()
    run = _Run(unique, store, backbone, batch_size, progress or (lambda report: None))
    started = time.monotonic()
    with DecodePool(
        unique,
        folder=store.folder,
        size=backbone.size,
        views=backbone.views,
        fps=store.spec.fps,
        decoder=decoder,
        image_fps=store.spec.image_fps,
        workers=workers or default_workers(),
        timeout_seconds=timeout_seconds,
        queue_size=2 * batch_size,
        crops=crops,
        copies=copies,
    ) as pool:
        try:
            for event in pool:
                run.take(event)
            run.drain()
            store.settle()
        finally:
            run.close()
    order = {path: i for i, path in enumerate(unique)}
    run.report.failures.sort(key=lambda failure: order[failure.path])
    run.report.seconds = time.monotonic() - started
    if run.told:
        text = f"{len(run.told)} remarks on videos:{listing(run.told)}" if run.told[1:] else run.told[0]
        warnings.warn(text, stacklevel=2)
    return run.report


@dataclass
class _Open:
    """A video under way: its features file, and how many of its frames wait in the batch."""

    writer: FeatureWriter
    video_hash: str
    waiting: int = 0
    ended: Ended | None = None


class _Run:
    """Fills batches from events and hands features to the files they belong to."""

    def __init__(
        self,
        paths: list[Path],
        store: FeatureStore,
        backbone: Backbone,
        batch_size: int,
        progress: Callable[[ExtractionReport], None],
    ) -> None:
        self.report, self.told = ExtractionReport(), list[str]()
        self._paths, self._store, self._backbone, self._progress = paths, store, backbone, progress
        self._open: dict[int, _Open] = {}
        self._rows: list[tuple[int, float]] = []
        self._lanes = Lanes(backbone, batch_size)
        self._batch = self._lanes.new_batch()
        # Batches under way, oldest first: features reach their files in the order of the frames.
        self._under_way: deque[tuple[Future[np.ndarray], list[tuple[int, float]]]] = deque()

    def take(self, event: Event) -> None:
        """Handles one event of the decode pool."""
        match event:
            case Decoded():
                self._batch[len(self._rows)] = event.image
                self._rows.append((event.job, event.timestamp_seconds))
                self._open[event.job].waiting += 1
                if len(self._rows) == len(self._batch):
                    self.flush()
            case Hashed():
                self._hashed(event)
            case Opened():
                self.report.expected += event.expected
            case Ended():
                self._open[event.job].ended = event
                self.told += event.told
                self._finish(event.job)
            case Failed():
                self._failed(event)

    def flush(self) -> None:
        """Sends the batch to a free lane; files what is ready."""
        if not self._rows:
            return
        self._under_way.append((self._lanes.submit(self._batch, len(self._rows)), self._rows))
        self._batch, self._rows = self._lanes.new_batch(), []
        while len(self._under_way) >= self._lanes.most_under_way or self._oldest_is_done():
            self._file_oldest()

    def _oldest_is_done(self) -> bool:
        return bool(self._under_way) and self._under_way[0][0].done()

    def drain(self) -> None:
        """Runs what is left."""
        self.flush()
        while self._under_way:
            self._file_oldest()

    def _file_oldest(self) -> None:
        future, rows = self._under_way.popleft()
        features = future.result()
        for job in dict.fromkeys(job for job, _ in rows):
            chosen = [i for i, (owner, _) in enumerate(rows) if owner == job]
            self._append(job, features[chosen], [rows[i][1] for i in chosen])
        self.report.features += len(rows)
        self._progress(self.report)

    def close(self) -> None:
        """Throws away what is half done; the next run starts those videos anew."""
        self._lanes.close()
        for video in self._open.values():
            video.writer.abort()

    def _hashed(self, event: Hashed) -> None:
        path = self._paths[event.job]
        if not event.have:
            if event.damage:
                text = f"{address(path)}: its features were damaged and are made anew: {event.damage}"
                warnings.warn(text, stacklevel=2)
            self._open[event.job] = _Open(self._store.writer(event.video_hash), event.video_hash)
            return
        self.report.hashes[path] = event.video_hash
        self.report.found += 1
        self._note_truncation(path, event.truncated)
        self._progress(self.report)

    def _append(self, job: int, features: np.ndarray, timestamps: list[float]) -> None:
        video = self._open.get(job)
        if video is None:  # it failed while its frames waited
            return
        video.writer.append(features, timestamps)
        video.waiting -= len(timestamps)
        self._finish(job)

    def _finish(self, job: int) -> None:
        video = self._open[job]
        if video.ended is None or video.waiting:
            return
        del self._open[job]
        path = self._paths[job]
        video.writer.commit(truncated=video.ended.truncated)
        self.report.hashes[path] = video.video_hash
        self.report.extracted += 1
        self._note_truncation(path, video.ended.truncated)
        self._progress(self.report)

    def _note_truncation(self, path: Path, truncated: str) -> None:
        if truncated:
            self.report.failures.append(Failure(path, "truncated", truncated))

    def _failed(self, event: Failed) -> None:
        video = self._open.pop(event.job, None)
        if video is not None:
            video.writer.abort()
        detail = f"{event.detail} (after {event.frame} frames)" if event.frame else event.detail
        self.report.failures.append(Failure(self._paths[event.job], event.reason, detail))
        self._progress(self.report)


def fill_store(
    paths: Sequence[Path],
    store: FeatureStore,
    backbone: Backbone,
    *,
    sampling: SamplingSettings,
    batch_size: int,
    crops: Mapping[Path, Crops] | None = None,
    elsewhere: bool = False,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Sees to it that a store holds the features of videos.

    Args:
        paths, store, backbone, batch_size, crops: see :func:`extract_features`.
        sampling: how videos are decoded; the rate is the store's.
        elsewhere: another process has extracted everything; see :func:`look_up`.
        progress: its ``extraction`` gets the report so far and the number of videos in all.
    """
    unique = list(dict.fromkeys(paths))
    if elsewhere:
        return look_up(unique, store, crops=crops, timeout_seconds=sampling.timeout_seconds)
    told = progress.extraction if progress else None
    return extract_features(
        unique,
        store,
        backbone,
        decoder=sampling.decoder,
        workers=sampling.workers,
        timeout_seconds=sampling.timeout_seconds,
        batch_size=batch_size,
        crops=crops,
        copies=sampling.copies,
        progress=None if told is None else lambda report: told(report, len(unique)),
    )


@contextlib.contextmanager
def store_folder(root: Path | None, out: Path) -> Iterator[Path]:
    """The root of a store, or where that is None a folder in ``out`` that is gone afterwards."""
    if root is not None:
        yield Path(root)
        return
    with contextlib.ExitStack() as kept:
        try:
            folder = kept.enter_context(scratch(out))
        except OSError as error:
            raise unwritable(out, error) from error
        yield folder


def look_up(
    paths: Sequence[Path],
    store: FeatureStore,
    *,
    crops: Mapping[Path, Crops] | None = None,
    timeout_seconds: float = 60.0,
) -> ExtractionReport:
    """What an extraction that another process has ended left in the store; nothing is decoded.

    Args:
        paths: the videos.
        store: where their features are, but for those that could not be read.
        crops: see :func:`extract_features`.
        timeout_seconds: longest wait for a piece of a file.
    """

    def hash_of(path: Path) -> str | None:
        try:
            remote = is_remote(path)
            video_hash = known_hash(path, store.root) if remote else hash_within(path, timeout_seconds)
        except VideoError:
            return None
        if crops and path in crops:
            video_hash = crops[path].key_of(video_hash)
        return video_hash if store.has(video_hash) else None

    report, unique = ExtractionReport(), list(dict.fromkeys(Path(p) for p in paths))
    with ThreadPoolExecutor(available_cores()) as pool:
        for path, video_hash in zip(unique, pool.map(hash_of, unique), strict=True):
            if video_hash is None:
                report.failures.append(Failure(path, "unreadable", "it has no features in the store"))
            else:
                report.hashes[path] = video_hash
    report.found = len(report.hashes)
    return report


def check_rate(fps: float) -> None:
    """Raises a SettingsError where no frame can be taken at this rate."""
    if not 0 < fps < math.inf:
        raise SettingsError(f"`sampling.fps` must be positive, not {fps}")


def make_store(
    root: Path,
    backbone: Backbone,
    *,
    fps: float,
    image_fps: float = 25.0,
    crop_margin: float | None = None,
) -> FeatureStore:
    """The store for this backbone at this sampling.

    Raises:
        SettingsError: the rate is not positive.
        StoreError: see :class:`FeatureStore`.
    """
    check_rate(fps)
    spec = FeatureSpec(fps=fps, image_fps=image_fps, backbone=backbone.spec, crop_margin=crop_margin)
    return FeatureStore(root, spec)
