"""The extraction pipeline: decode ∥ backbone ∥ write.

An engine decodes and runs the backbone, ``filing.py`` writes; each video's features go to its own file as
they come. It prints nothing: a callback is told of the progress.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.addresses import is_remote
from vidlstm.backbones.cpu import available_cores
from vidlstm.datasets.files import listing
from vidlstm.errors import SettingsError, VideoError
from vidlstm.features.engines import Extraction
from vidlstm.features.filing import Filing
from vidlstm.features.local_engine import LocalEngine
from vidlstm.features.remote_videos import known_hash
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.files import scratch, unwritable
from vidlstm.structures import Failure
from vidlstm.video.hashing import hash_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.features.crops import Crops
    from vidlstm.features.engines import Engine
    from vidlstm.features.ranks import Ranks
    from vidlstm.settings import SamplingSettings
    from vidlstm.structures import Progress


@dataclass
class ExtractionReport:
    """What an extraction did.

    Attributes:
        hashes: video path to the hash its features are stored under; the truncated ones too.
        failures: what went wrong, in the order of the paths.
        extracted, found: videos newly done, and videos whose features were there already.
        features: feature vectors computed.
        expected: as the headers of the videos opened so far claim, so many of them; a hint for a bar.
        remarks: what there is to tell of videos that did not fail.
        seconds: wall time.
    """

    hashes: dict[Path, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    extracted: int = 0
    found: int = 0
    features: int = 0
    expected: int = 0
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unreadable(self) -> list[Failure]:
        """The failures that left no features at all."""
        return [f for f in self.failures if f.reason != "truncated"]

    def sort(self, paths: Sequence[Path]) -> None:
        """Brings the failures into the order of the paths."""
        order = {path: i for i, path in enumerate(paths)}
        self.failures.sort(key=lambda failure: order[failure.path])


def extract_features(
    paths: Sequence[Path],
    store: FeatureStore,
    backbone: Backbone,
    *,
    decoder: str = "auto",
    workers: int = 0,
    timeout_seconds: float = 60.0,
    batch_size: int = 0,
    crops: Mapping[Path, Crops] | None = None,
    copies: Path | None = None,
    ranks: Ranks | None = None,
    engine: Engine | None = None,
    progress: Callable[[ExtractionReport], None] | None = None,
) -> ExtractionReport:
    """Extracts the features of videos that the store does not hold yet.

    Args:
        paths: videos; the same path twice is done once.
        store: takes the features, at the sampling of its spec.
        backbone: what the store's spec was made from.
        decoder: see ``SamplingSettings``.
        workers: decode processes; 0 for one a core, at most 16.
        timeout_seconds: longest wait for a frame.
        batch_size: frames per forward pass; 0 takes what suits the device.
        crops: of each video, what is cut out of it instead of frames at a steady rate; one feature a box, in
            the order of the frames and of the boxes of each, stored under :meth:`Crops.key_of`.
        copies: keeps the videos that are downloaded; None deletes each when it has been decoded.
        ranks: the processes that share the work, each of which comes here with the same videos and gets the
            report of all.
        engine: where the work is done; None is this machine.
        progress: called after every video and every batch with the report so far.

    Returns:
        The report. A video that fails does not stop the others.

    Raises:
        RankError: another of the ranks has ended before its work was done.

    Warns:
        UserWarning: of what the readers had to tell, all videos together.
    """
    unique = tuple(dict.fromkeys(Path(p) for p in paths))
    rows = backbone.frames_at_once(batch_size)
    extraction = Extraction(
        unique, store, backbone, decoder, workers, timeout_seconds, rows, crops or {}, copies
    )
    work = partial(work_through, engine=engine or LocalEngine())
    report = ranks.share(extraction, work, progress) if ranks else work(extraction, progress=progress)
    if told := report.remarks:
        text = f"{len(told)} remarks on videos:{listing(told)}" if told[1:] else told[0]
        warnings.warn(text, stacklevel=2)
    return report


def work_through(
    extraction: Extraction, engine: Engine, progress: Callable[[ExtractionReport], None] | None = None
) -> ExtractionReport:
    """Extracts what the store does not hold yet; see :func:`extract_features`."""
    store = extraction.store
    assert store.spec.backbone == extraction.backbone.spec
    store.remove_leftovers()
    started, report = time.monotonic(), ExtractionReport()
    with closing(Filing(extraction, report)) as filing, closing(engine.pieces(extraction)) as pieces:
        for piece in pieces:
            filing.take(piece)
            if progress:
                progress(report)
        store.settle()
    report.sort(extraction.paths)
    report.seconds = time.monotonic() - started
    return report


def fill_store(
    paths: Sequence[Path],
    store: FeatureStore,
    backbone: Backbone,
    *,
    sampling: SamplingSettings,
    batch_size: int,
    crops: Mapping[Path, Crops] | None = None,
    elsewhere: bool = False,
    ranks: Ranks | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> ExtractionReport:
    """Sees to it that a store holds the features of videos.

    Args:
        paths, store, backbone, batch_size, crops, ranks, engine: see :func:`extract_features`.
        sampling: how videos are decoded; the rate is the store's.
        elsewhere: another process has extracted everything; see :func:`look_up`.
        progress: its ``extraction`` gets the report so far and the number of videos in all.

    Raises:
        RankError: another of the ranks has ended before its work was done.
    """
    unique = tuple(dict.fromkeys(Path(p) for p in paths))
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
        ranks=ranks,
        engine=engine,
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
