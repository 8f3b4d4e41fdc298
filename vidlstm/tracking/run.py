"""Videos to one tracks table: a part on disk for each finished video, then the table and its ledger.

A killed run goes on with the videos that are missing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars

from vidlstm.backbones.weights import sha256_of
from vidlstm.datasets.tracks_parquet import SCHEMA, read_tracks_frame
from vidlstm.devices import resolve_device
from vidlstm.errors import DatasetError, SettingsError, VideoError
from vidlstm.files import check_inputs, clear_leftovers, files_named, write_json, write_text, write_whole
from vidlstm.ray_cluster import check_engine
from vidlstm.structures import Failure
from vidlstm.tracking.engines import NO_SOURCE, Tracking, spec_of, tracked_here
from vidlstm.tracking.track_video import VideoSummary

if TYPE_CHECKING:
    from collections.abc import Generator

    from vidlstm.settings import TrackingSettings
    from vidlstm.tracking.engines import Outcome, TrackedVideo


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


class TrackingRun:
    """One table under way: its source of boxes, its finished parts and its ledger.

    Args:
        out: the table.
        settings: the network and the tracker.

    Attributes:
        out, ledger: the table, and the JSON beside it.
        known: records of the videos that an earlier run has finished, by key.
        new: keys of the videos that were tracked in this run.

    Raises:
        SettingsError: the table is no Parquet file, or there is not exactly one source of boxes.
    """

    def __init__(self, out: Path, settings: TrackingSettings) -> None:
        self.out, self.ledger = out, out.with_suffix(".json")
        if out.suffix != ".parquet":
            raise SettingsError(f"`out` {out}: a tracks table is a Parquet file; end its name in .parquet")
        if (settings.weights is None) == (not settings.boxes):
            raise SettingsError(NO_SOURCE, setting="weights")
        self._settings, self._parts = settings, out.with_name(f".{out.name}.parts")
        self._earlier = self._read_ledger()
        self.known = {**self._earlier, **self._read_parts()}
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
        return dict.fromkeys(paths, Path(settings.weights))

    def keep(self, tracked: TrackedVideo) -> dict[str, Any]:
        """The record of a video; one that was tracked now is written."""
        if tracked.table is None:
            return self.known[tracked.key]
        part = self._parts / f"{tracked.key}.json"
        write_whole(tracked.table.write_parquet, part.with_suffix(".parquet"))
        write_text(json.dumps(tracked.record) + "\n", part)
        self.new.add(tracked.key)
        return tracked.record

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
        settings = {**spec_of(self._settings), "weights_sha256": self._weights_sha256()}
        ledger = {"settings": settings, "videos": records, "failures": failures}
        write_json(ledger, self.ledger)
        shutil.rmtree(self._parts, ignore_errors=True)
        return table

    def _weights_sha256(self) -> str | None:
        return sha256_of(Path(self._settings.weights)) if self._settings.weights else None

    def _read_parts(self) -> dict[str, dict[str, Any]]:
        """The records of videos that a run finished which was ended before it had joined them, by key."""
        records = map(self._finished_part, self._parts.glob("*.json"))
        return {record["key"]: record for record in records if record}

    def _finished_part(self, part: Path) -> dict[str, Any] | None:
        """The record of a part, where its rows are there."""
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
    engine: str = "local",
    address: str | None = None,
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
        engine: local, or ray: a cluster tracks, see ``tracking/ray_engine.py``.
        address: of the cluster, ``HOST:PORT`` or auto; None starts one on this machine.
        progress: see ``Progress``.

    Returns:
        The report, the run that made it, and the table. A video that fails is listed and does not stop the
        others.

    Raises:
        VidlstmError: see its subclasses.
    """
    check_engine(engine, address)
    paths = list(dict.fromkeys(paths))
    started, run = time.monotonic(), TrackingRun(Path(out), settings)
    check_inputs([run.out, run.ledger], [*paths, *files_named(settings)])
    clear_leftovers(run.out.parent)
    report, records = TrackingReport(), dict[Path, dict[str, Any]]()
    frames = Counter[Path]()

    def tell(path: Path, count: int) -> None:
        frames[path] = count
        report.frames, report.seconds = frames.total(), time.monotonic() - started
        if progress:
            progress(report, len(paths))

    todo = Tracking(run.sources(paths), settings, str(resolve_device(device)), frozenset(run.known))
    with closing(_outcomes(todo, tell, engine, address)) as outcomes:
        for path, outcome in outcomes:
            if isinstance(outcome, VideoError):
                report.failures.append(_failure_of(path, outcome))
                continue
            record = records[path] = run.keep(outcome)
            report.videos.append(record)
            report.tracked = len(run.new)
            report.found = len(report.videos) - report.tracked
            if record["truncated"]:
                report.failures.append(Failure(path, "truncated", record["truncated"]))
            tell(path, record["frames"] if outcome.record else 0)
    report.videos = [records[path] for path in paths if path in records]
    order = {path: place for place, path in enumerate(paths)}
    report.failures.sort(key=lambda failure: order[failure.path])
    failures = [{"video": str(f.path), "reason": f.reason, "detail": f.detail} for f in report.failures]
    table = run.finish(report.videos, failures)
    report.files += [run.out, run.ledger]
    report.seconds = time.monotonic() - started
    return report, run, table


def _outcomes(
    todo: Tracking, tell: Callable[[Path, int], None], engine: str, address: str | None
) -> Generator[tuple[Path, Outcome], None, None]:
    if engine == "local":
        return tracked_here(todo, tell)
    from vidlstm.tracking.ray_engine import tracked_on_cluster

    return tracked_on_cluster(todo, tell, address=address)


def _failure_of(path: Path, error: VideoError) -> Failure:
    detail = f"{error.detail} (after {error.frame} frames)" if error.frame else error.detail
    return Failure(path, error.reason, detail)
