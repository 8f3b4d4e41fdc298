"""Formats of timed labels by name. To add one: a file in ``labelling/``, and a line in ``TIMED_FORMATS``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidlstm.datasets.files import entries, is_file, listing
from vidlstm.datasets.labelling import (
    activitynet,
    ava_table,
    boris,
    cvat,
    elan,
    fiftyone,
    kinetics_table,
    label_studio,
    mstcn,
    segment_table,
    via,
)
from vidlstm.datasets.labelling.matching import VideoFiles
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.records import check_fold
from vidlstm.datasets.timed import TimedDataset, TimedVideo
from vidlstm.errors import DatasetError, nearest
from vidlstm.media import suffix_of

LABEL_SUFFIXES = frozenset(("json", "xml", "eaf", "csv", "tsv"))
"""Endings, in lower case, of the files that are read from a folder of labels."""


@dataclass(frozen=True)
class TimedFormat:
    """How a tool's files are told from others, and read.

    Attributes:
        kind: of file.
        looks_like: whether it is one, by what is in it: the JSON value, the XML root, the table, the folder.
        read: the videos in it, before anyone looked where they lie.
    """

    kind: Literal["folder", "json", "xml", "table"]
    looks_like: Callable[[Any], bool]
    read: Callable[[Source, Reading], Iterable[LabelledVideo]]

    def recognises(self, source: Source) -> bool:
        """Whether a file is of this format.

        Raises:
            DatasetError: it cannot be read, or is not what it begins as.
        """
        if source.kind != self.kind:
            return False
        content = {"folder": "path", "json": "json", "xml": "xml"}.get(self.kind)
        return self.looks_like(getattr(source, content) if content else source)


TIMED_FORMATS: dict[str, TimedFormat] = {
    "segments": TimedFormat("table", segment_table.looks_like, segment_table.read),
    "mstcn": TimedFormat("folder", mstcn.looks_like, mstcn.read),
    "label_studio": TimedFormat("json", label_studio.looks_like, label_studio.read),
    "cvat": TimedFormat("xml", cvat.looks_like, cvat.read),
    "elan": TimedFormat("xml", elan.looks_like, elan.read),
    "via": TimedFormat("json", via.looks_like, via.read),
    "boris": TimedFormat("table", boris.looks_like, boris.read),
    "activitynet": TimedFormat("json", activitynet.looks_like, activitynet.read),
    "fiftyone": TimedFormat("json", fiftyone.looks_like, fiftyone.read),
    "kinetics": TimedFormat("table", kinetics_table.looks_like, kinetics_table.read),
    "ava": TimedFormat("table", ava_table.looks_like, ava_table.read),
}
"""The formats by name; ``auto`` takes the one that recognises a file."""


def load_timed(
    annotations: Path | Sequence[Path],
    *,
    videos: Path | Sequence[Path] | None = None,
    format: str = "auto",
    labelled_fps: float | None = None,
    fold: int | None = None,
) -> TimedDataset:
    """Reads timed labels of long videos; no video is opened.

    Labels that a tool counts from the first frame that it shows keep that clock: see ``TimedVideo.clock``.

    Args:
        annotations: files, folders of them, or the folder of an MS-TCN data set.
        videos: the folder that the videos lie in, however deep, or the files themselves; by default, where
            the annotations lie.
        format: a key of ``TIMED_FORMATS``, or ``auto``, which looks into every file.
        labelled_fps: frames a second that the tool counted, where it counts frames.
        fold: the fold that will be held out; for mstcn, which official split to read.

    Returns:
        The videos in the order of the annotations, with what was understood in ``notes``.

    Raises:
        DatasetError: a file is not what it should be, a rate is missing or has no effect, a name may be any
            of several videos, or no video is there.

    Warns:
        UserWarning: what is left out, counted: of each file, and videos that are not there.
    """
    if format != "auto" and format not in TIMED_FORMATS:
        raise DatasetError(f"unknown format of labels `data.format` {format}{nearest(format, TIMED_FORMATS)}")
    if labelled_fps is not None and not 1e-3 <= labelled_fps <= 1e6:
        raise DatasetError(f"`data.labelled_fps` is {labelled_fps:g}; it must be from 0.001 to a million")
    files = label_files(annotations)
    folder = Path(os.path.commonpath([f.absolute() if f.is_dir() else f.absolute().parent for f in files]))
    there = VideoFiles(folder if videos is None else videos)
    read = [_read(Source(file), format, Reading(labelled_fps, fold)) for file in files]
    if labelled_fps is not None and not any(how.rate_used for _, _, how in read):
        raise DatasetError("`data.labelled_fps` has no effect: the labels have times in seconds; drop it")
    found = _located([(name == "segments", video) for name, all, _ in read for video in all], there)
    official = any(how.fold_used for _, _, how in read)
    if fold is not None and not official:
        check_fold(found, fold)
    labels = dict.fromkeys(label for _, _, how in read for label in how.order)
    used = {at.label for video in found for at in video.labels}
    notes = [f"{f}: {note}" for f, (_, _, how) in zip(files, read, strict=True) for note in how.notes]
    classes = (*labels, *sorted(used - labels.keys()))
    return TimedDataset(tuple(found), classes, tuple(notes), fold if official else None)


def label_files(annotations: Path | Sequence[Path]) -> list[Path]:
    """The files, and folders of MS-TCN, that are read of the annotations.

    Raises:
        DatasetError: a folder holds none.
    """
    found: list[Path] = []
    for path in [annotations] if isinstance(annotations, Path) else annotations:
        if not path.is_dir() or mstcn.looks_like(path):
            found.append(path)
            continue
        inside = [Path(e.path) for e in entries(path) if suffix_of(e.name) in LABEL_SUFFIXES and is_file(e)]
        if not inside:
            endings = ", ".join(sorted(LABEL_SUFFIXES))
            raise DatasetError(
                f"{path} holds neither groundTruth nor a file that ends in {endings}; folders in it are not "
                "looked into"
            )
        found += inside
    if not found:
        raise DatasetError("no labels are given; name a file or a folder with them in `data.annotations`")
    return found


Read = tuple[str, list[LabelledVideo], Reading]
"""The format, the videos, and what was found out on the way."""


def _read(source: Source, format: str, how: Reading) -> Read:
    name = _recognised(source)
    if format not in ("auto", name):
        raise DatasetError(f"{source.path} is not {format}, as `data.format` says; it looks like {name}")
    videos = list(TIMED_FORMATS[name].read(source, how))
    count = sum(len(video.labels) for video in videos)
    how.notes.insert(0, f"read as {name}: {count} labels of {len(videos)} videos")
    if how.left_out:
        counted = ", ".join(f"{what} ({count})" for what, count in how.left_out.items())
        warnings.warn(f"{source.path}: left out: {counted}", UserWarning, stacklevel=3)
    return name, videos, how


def _recognised(source: Source) -> str:
    found = [name for name, format in TIMED_FORMATS.items() if format.recognises(source)]
    if not found:
        raise DatasetError(
            f"{source.path} is of no known format of labels ({', '.join(TIMED_FORMATS)}); "
            "export it again as one of these, or write a CSV with path,start_seconds,end_seconds,label"
        )
    return found[0]


def _located(said: Sequence[tuple[bool, LabelledVideo]], there: VideoFiles) -> list[TimedVideo]:
    """The labels by video file; what is said of one video in several places is put together."""
    by_path: dict[Path, list[LabelledVideo]] = {}
    missing: list[str] = []
    for own, video in said:
        found = there.find(video.names)
        name = video.names[0] if video.names else "a video without a name"
        if len(found) > 1:
            may_be = listing(map(there.name_of, found))
            raise DatasetError(
                f"{video.where}: {name[:200]!r} may be any of these; rename all but one:{may_be}"
            )
        if found:
            by_path.setdefault(found[0], []).append(video)
            continue
        missing.append(f"{video.where}: {name[:200]}")
        if own:  # a table of one's own is whole, as the table of clips is
            raise DatasetError(
                f"{missing[-1]} is not a video below {there.folder}; check the path and `data.root`"
            )
    _say_missing(missing, len(said), there.folder)
    return [_together(path, parts, there.name_of(path)) for path, parts in by_path.items()]


def _say_missing(missing: list[str], count: int, folder: Path) -> None:
    if missing and len(missing) == count:
        raise DatasetError(
            f"none of the {count} labelled videos is below {folder}; give the folder that holds them as "
            f"`data.root`:{listing(missing)}"
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {count} labelled videos are not below {folder}, and are left out with their "
            f"labels:{listing(missing)}",
            UserWarning,
            stacklevel=4,
        )


def _together(path: Path, parts: list[LabelledVideo], name: str) -> TimedVideo:
    """One video; labels that stand in several places are one."""
    first = parts[0]
    for part in parts[1:]:
        if (part.clock, part.group, part.fold, part.split) != (
            first.clock,
            first.group,
            first.fold,
            first.split,
        ):
            raise DatasetError(
                f"{part.where}: {name} has another clock, group, fold or split in {first.where}; keep one"
            )
    labels = dict.fromkeys(label for part in parts for label in part.labels)
    return TimedVideo(path, tuple(labels), first.group, first.fold, first.split, name, first.clock)
