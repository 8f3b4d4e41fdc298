"""From a tracks table to the sequences of each video's objects; shared by train, evaluate and predict."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.cards import Tracked
from vidlstm.datamodules.object_actions import ObjectActionData
from vidlstm.datamodules.object_sequences import object_sequences
from vidlstm.datasets.duplicates import warn_of_same_videos
from vidlstm.datasets.files import listing
from vidlstm.errors import DatasetError, SettingsError, VideoError
from vidlstm.features.extract import fill_store, make_store
from vidlstm.features.read_tracks import read_tracked_objects
from vidlstm.structures import Failure
from vidlstm.tasks.action.data import readable_sides
from vidlstm.video.hashing import hash_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.datamodules.object_sequences import ObjectSequence
    from vidlstm.features.tracked_objects import TrackedObjects
    from vidlstm.settings import ObjectActionDataSettings
    from vidlstm.tasks.action.data import Clips
    from vidlstm.tasks.base import Run
    from vidlstm.tasks.frames import How
    from vidlstm.tasks.object_action.network import ObjectNetwork

TRACKING = (
    "weights_sha256",
    "tracker",
    "classes",
    "confidence",
    "image_size",
    "lost_seconds",
    "start_confidence",
    "weigh_overlap",
    "fps",
    "image_fps",
)
"""Of the settings in the ledger of a table, those that other videos need too."""


@dataclass
class TrackedVideos:
    """The objects of some videos.

    Attributes:
        sequences: of each video that could be read, by its path.
        failures: the videos that could not.
        hashes: of the bytes of each video of the table, by its path.
    """

    sequences: dict[Path, list[ObjectSequence]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    hashes: dict[Path, str] = field(default_factory=dict)


def read_ledger(tracks: Path) -> dict[str, Any]:
    """What ``track`` wrote beside a table, its settings and the hashes of its videos; else nothing."""
    try:
        ledger = json.loads(tracks.with_suffix(".json").read_text(encoding="utf-8"))
        hashes = {str(record["video"]): str(record["sha256"]) for record in ledger["videos"]}
        return {"settings": dict(ledger["settings"]), "videos": hashes}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def how_tracked(data: ObjectActionDataSettings) -> Tracked:
    """What a checkpoint must know to find objects in other videos as they were found in training."""
    settings = read_ledger(table_of(data)).get("settings", {})
    return Tracked(
        tracking={key: settings[key] for key in TRACKING if key in settings},
        max_gap_seconds=data.max_gap_seconds,
        minimum_seconds=data.minimum_seconds,
    )


def table_of(data: ObjectActionDataSettings) -> Path:
    """The tracks table.

    Raises:
        SettingsError: none is given.
    """
    if data.tracks is None:
        raise SettingsError(
            "this is about tracked objects; track the clips (vidlstm track) and give the table: "
            "`data.tracks FILE`",
            setting="data.tracks",
        )
    return Path(data.tracks)


def warn_of_other_tracking(data: ObjectActionDataSettings, trained: dict[str, Any]) -> None:
    """Says in what the objects of a table were found in another way than those of the training."""
    mine = {**trained, **how_tracked(data).tracking}
    if other := [
        f"{key} {mine[key]!r}, not {trained[key]!r}" for key in trained if mine[key] != trained[key]
    ]:
        warnings.warn(f"{data.tracks} was not made as in training: {'; '.join(other)}", stacklevel=3)


def objects_of(
    videos: Sequence[Path],
    tracks: Path,
    network: ObjectNetwork,
    how: How,
    max_gap_seconds: float,
    run: Run,
) -> TrackedVideos:
    """The sequences of the objects of videos; extracts what is missing of their pictures.

    Args:
        videos: files as they are on disk.
        tracks: the table.
        network: what describes each object.
        how: how to run the network and to decode; its rate is that of the steps.
        max_gap_seconds: see :func:`object_sequences`.
        run: has the store, and says which processes extract.

    Raises:
        DatasetError: the table is none.
    """
    done, objects = TrackedVideos(), {}
    table = _Table(tracks, how.sampling.fps)
    for video in dict.fromkeys(videos):
        rows = table.rows_of(video)
        if isinstance(rows, Failure):
            done.failures.append(rows)
        elif rows is None:
            done.sequences[video] = []
        else:
            objects[video] = rows
    done.hashes = table.hashes
    pictures, failures = _pictures(objects, network, how, run)
    done.failures += failures
    for video, features_NF in pictures.items():
        done.sequences[video] = sequences_of(objects[video], network, features_NF, max_gap_seconds)
    return done


def sequences_of(
    rows: TrackedObjects, network: ObjectNetwork, pictures_NF: np.ndarray, max_gap_seconds: float
) -> list[ObjectSequence]:
    """The sequences of one video's objects, from their rows and the features of what is cut out of each."""
    fill_seconds = max_gap_seconds if network.fills_keypoints else 0.0
    poses = [rows.poses(fill_seconds=fill_seconds)] if network.pose else []
    parts = poses + ([pictures_NF] if network.crops else [])
    return object_sequences(
        np.concatenate(parts, axis=1).astype(np.float16),
        rows.track_id_N,
        rows.seconds_N,
        rows.step_N,
        step_seconds=rows.step_seconds,
        max_gap_seconds=max_gap_seconds,
    )


def gather_objects(
    clips: Clips, data: ObjectActionDataSettings, network: ObjectNetwork, how: How, run: Run
) -> ObjectActionData:
    """Gathers the objects of labelled clips into a data module.

    Raises:
        DatasetError: clips are not in the table or cannot be read, a side has no clip left, or nobody is
            seen in any.
    """
    videos = [Path(r.path) for r in clips.records]
    objects = objects_of(videos, table_of(data), network, how, data.max_gap_seconds, run)
    sides = readable_sides(clips, objects.failures, skip_unreadable=data.skip_unreadable)
    if run.extracts:
        warn_of_same_videos({"train": sides[0], "validation": sides[1]}, objects.hashes)
    module = ObjectActionData(
        objects.sequences,
        network.feature_dim,
        clips.labels,
        train=sides[0],
        validation=sides[1],
        fps=how.sampling.fps,
        minimum_seconds=data.minimum_seconds,
        batch_size=data.batch_size,
        max_seconds=data.max_seconds,
        seed=run.seed,
    )
    _tell_of_the_short(module, data, sum(map(len, sides)))
    return module


def _tell_of_the_short(module: ObjectActionData, data: ObjectActionDataSettings, clips: int) -> None:
    if len(module.empty) == clips:
        raise DatasetError(
            f"in no clip is an object of {data.tracks} seen for {data.minimum_seconds:g} s; see "
            "`data.minimum_seconds`"
        )
    if module.empty:
        names = listing([record.name for record in module.empty])
        warnings.warn(
            f"{len(module.empty)} clips in which no object is tracked for long enough:{names}", stacklevel=2
        )
    if module.short:
        names = listing([f"{record.name}, track {track_id}" for record, track_id in module.short])
        warnings.warn(
            f"{len(module.short)} tracks are left out, seen for less than {data.minimum_seconds:g} s:{names}",
            stacklevel=2,
        )


def _pictures(
    objects: dict[Path, TrackedObjects], network: ObjectNetwork, how: How, run: Run
) -> tuple[dict[Path, np.ndarray], list[Failure]]:
    """Features of what is cut out of each video, a row a box; without a network, of no width."""
    if network.crops is None:
        return {video: np.zeros((len(rows), 0)) for video, rows in objects.items()}, []
    margin, sampling = network.crop_margin, how.sampling
    store = make_store(
        run.store, network.crops, fps=sampling.fps, image_fps=sampling.image_fps, crop_margin=margin
    )
    report = fill_store(
        list(objects),
        store,
        network.crops,
        sampling=sampling,
        batch_size=how.batch_size,
        crops={video: rows.crops(margin) for video, rows in objects.items()},
        elsewhere=not run.extracts,
        ranks=run.ranks,
        engine=run.engine,
        progress=run.progress,
    )
    # That the end of a video cannot be read was known when it was tracked: nothing was found there.
    return {video: store.get(key).features for video, key in report.hashes.items()}, report.unreadable


class _Table:
    """A tracks table. Videos are found where they lay when they were tracked, or else by their bytes.

    Attributes:
        hashes: of the videos that were looked for.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, found = path, read_tracked_objects(path, fps=fps)
        known: dict[str, str] = read_ledger(path).get("videos", {})
        self._places = {_place(name): rows for name, rows in found.items()}
        self._hashes = {sha256: found.get(name) for name, sha256 in known.items()}
        self._known = {_place(name): sha256 for name, sha256 in known.items()}
        self.hashes: dict[Path, str] = {}

    def rows_of(self, video: Path) -> TrackedObjects | Failure | None:
        """What was tracked in a video; None where it was nobody."""
        try:
            sha256 = self.hashes[video] = hash_within(video)
        except VideoError as error:
            return Failure(video, error.reason, error.detail)
        place = video.resolve()
        # By place first: of two videos with the same bytes each has its own tracks.
        if self._known.get(place) == sha256 or (not self._known and place in self._places):
            return self._places.get(place)
        if sha256 in self._hashes:
            return self._hashes[sha256]
        changed = place in self._known
        why = "it has changed since it was tracked" if changed else f"it is not in {self._path}"
        return Failure(video, "unreadable", f"{why}; track it (vidlstm track)")


def _place(name: str) -> Path | None:
    """Where a video lies; a name that no file can have is nowhere."""
    return None if "\0" in name else Path(name).resolve()
