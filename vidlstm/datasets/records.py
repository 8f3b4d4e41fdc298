"""What a dataset is, once its annotations are read: clips with labels, and the order of the labels.

This module knows nothing of file formats, and nothing in this room opens a video.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vidlstm.datasets.files import listing
from vidlstm.datasets.names import alike, nearest_name, seen, shown, writable
from vidlstm.errors import DatasetError

SPLITS = ("train", "validation", "test")
"""The three sides of a split."""

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""How annotation files and folders name the three sides."""


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One labelled clip: a whole video, a stretch of one, or a folder of frame images.

    Attributes:
        path: where it lies; the root of the dataset is already in front.
        label: the name of its class.
        start_seconds: where the clip starts in the video; None is the first frame.
        end_seconds: where it ends; None is the last frame.
        group: clips with one group come from one source and stay on one side of a split.
        fold: the number of the fold it is in, where the annotations number them.
        split: one of ``SPLITS``, where the annotations say.
        track_id: of the tracked object whose label it is; None where the clip as a whole has it.
        name: the path as the annotations write it, for messages and tables; the path itself by default.

    Raises:
        ValueError: a field contradicts another or is not one of the values allowed.
    """

    path: Path
    label: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    group: str | None = None
    fold: int | None = None
    split: str | None = None
    name: str = ""
    track_id: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.as_posix())
        if not self.label:
            raise ValueError(f"{self.name}: a clip needs a label")
        start = self.start_seconds or 0.0
        if start < 0 or (self.end_seconds is not None and not self.end_seconds > start):
            raise ValueError(f"{self.name}: no clip from {self.start_seconds} to {self.end_seconds} s")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"{self.name}: split must be one of {SPLITS}, not {self.split!r}")


@dataclass(frozen=True, eq=False)
class ClipDataset:
    """Labelled clips and the order of their labels, which is the order of a classifier's outputs.

    Attributes:
        records: the clips.
        labels: every class once; sorted, or in the official order where a format has one.
        official_fold: the number of the official split that ``split`` was read from (UCF101, HMDB51).

    Raises:
        DatasetError: there is no clip, a label stands twice, a clip's label is unknown, or a class is empty.
    """

    records: tuple[ClipRecord, ...]
    labels: tuple[str, ...]
    official_fold: int | None = None

    def __post_init__(self) -> None:
        if not self.records:
            raise DatasetError("the dataset holds no clip; check `data.root` and `data.annotations`")
        _check_labels(self.records)
        twice = [label for label, count in Counter(self.labels).items() if count > 1]
        if twice:
            raise DatasetError(f"labels stand twice in the list of classes: {', '.join(twice)}")
        used = {record.label for record in self.records}
        if unknown := sorted(used - set(self.labels)):
            near = {label: nearest_name(label, self.labels) for label in unknown}
            clips = [
                f"{r.name}: {shown(r.label)}"
                + (f"; did you mean {near[r.label]!r}?" if near[r.label] else "")
                for r in self.records
                if r.label in near
            ]
            raise DatasetError(f"unknown label; the classes are {', '.join(self.labels)}:{listing(clips)}")
        if empty := [label for label in self.labels if label not in used]:
            raise DatasetError(f"empty class, no clip: {', '.join(empty)}; add clips or drop the class")

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        groups = len({record.group for record in self.records} - {None})
        folds = len({record.fold for record in self.records} - {None})
        sides = Counter(record.split for record in self.records if record.split)
        parts = [f"{len(self.records)} clips", f"{len(self.labels)} labels"]
        parts += [f"{groups} groups"] if groups else []
        parts += [f"{folds} folds"] if folds else []
        parts += [f"{sides[side]} {side}" for side in SPLITS if sides[side]]
        return f"ClipDataset({', '.join(parts)})"


def _check_labels(records: Iterable[ClipRecord]) -> None:
    """Refuses labels that nobody can see or tell apart, and warns of those that differ in case alone."""
    count = Counter(record.label for record in records)
    if bad := sorted(label for label in count if not seen(label) or not writable(label)):
        raise DatasetError(
            f"labels without a visible character, or not in UTF-8: {', '.join(map(ascii, bad))}; rename them"
        )
    for labels in alike(count):
        told = " and ".join(f"{label!a} ({count[label]} clips)" for label in labels)
        if len({seen(label) for label in labels}) < len(labels):
            raise DatasetError(f"labels that look the same are several classes: {told}; spell them alike")
        warnings.warn(
            f"labels that differ in case alone count as classes: {told}; if they are one, spell them alike",
            UserWarning,
            stacklevel=5,
        )


class Sided(Protocol):
    """What a split puts on one side: a clip, or a long video."""

    @property
    def fold(self) -> int | None:
        """The number of the fold it is in."""

    @property
    def split(self) -> str | None:
        """One of ``SPLITS``."""


def check_fold(records: Iterable[Sided], fold: int) -> None:
    """Raises unless something that is not for testing is in this fold.

    Raises:
        DatasetError: nothing has this fold; the message names the folds there are.
    """
    folds = sorted({r.fold for r in records if r.fold is not None and r.split != "test"})
    if not folds:
        raise DatasetError("no clip has a fold; drop `data.fold` or add the column 'fold' to the annotations")
    if fold not in folds:
        raise DatasetError(f"there is no fold {fold}; `data.fold` can be {', '.join(map(str, folds))}")
