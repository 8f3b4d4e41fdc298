"""What is labelled in time: long videos, and what happens when in each of them.

This module knows nothing of file formats, and nothing in this room opens a video.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vidlstm.datasets.records import SPLITS
from vidlstm.errors import DatasetError

Clock = Literal["container", "first_frame"]
"""What times are counted from: the container's own zero, or the first frame that is shown, as tools count."""


@dataclass(frozen=True, slots=True, order=True)
class TimedLabel:
    """One thing that happens in a video.

    Attributes:
        start_seconds: when it begins, in the clock of its video.
        end_seconds: when it is over; later than its start.
        label: the name of its class.

    Raises:
        ValueError: it has no length or no label.
    """

    start_seconds: float
    end_seconds: float
    label: str

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("what happens needs a label")
        bounds = self.start_seconds, self.end_seconds
        if not (all(map(math.isfinite, bounds)) and self.end_seconds > self.start_seconds):
            raise ValueError(f"{self.label}: nothing lasts from {self.start_seconds} to {self.end_seconds} s")


@dataclass(frozen=True, slots=True)
class TimedVideo:
    """A long video and its labels.

    Attributes:
        path: where it lies.
        labels: in time order; they may leave gaps and overlap.
        group: videos with one group come from one source and stay on one side of a split.
        fold: the number of the fold it is in, where the annotations number them.
        split: one of ``SPLITS``, where the annotations say.
        name: the path as the annotations write it, for messages and tables; the path itself by default.
        clock: what the times of its labels are counted from.

    Raises:
        ValueError: the split is not one of those allowed.
    """

    path: Path
    labels: tuple[TimedLabel, ...]
    group: str | None = None
    fold: int | None = None
    split: str | None = None
    name: str = ""
    clock: Clock = "container"

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(sorted(self.labels)))
        if not self.name:
            object.__setattr__(self, "name", self.path.as_posix())
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"{self.name}: split must be one of {SPLITS}, not {self.split!r}")

    def in_container_clock(self, first_frame_seconds: float) -> TimedVideo:
        """The video with its labels in the container's own clock.

        Args:
            first_frame_seconds: the time of its first frame in that clock; also that of its first feature.
        """
        if self.clock == "container":
            return self
        moved = (
            TimedLabel(first_frame_seconds + at.start_seconds, first_frame_seconds + at.end_seconds, at.label)
            for at in self.labels
        )
        return replace(self, labels=tuple(moved), clock="container")


@dataclass(frozen=True, eq=False)
class TimedDataset:
    """Long videos with timed labels, and the order of the labels, which is that of a network's outputs.

    Attributes:
        videos: each path once.
        labels: every class once; sorted, or in the official order where a format has one.
        notes: what was understood of the files that it was read from, in sentences.
        official_fold: the number of the official split that ``split`` was read from (MS-TCN).

    Raises:
        DatasetError: there is no labelled video, a video or class stands twice, or a label is unknown.
    """

    videos: tuple[TimedVideo, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    official_fold: int | None = None

    def __post_init__(self) -> None:
        if not any(video.labels for video in self.videos):
            raise DatasetError("the dataset holds no timed label; check `data.root` and `data.annotations`")
        for what, names in (
            ("videos", [video.name for video in self.videos]),
            ("classes", list(self.labels)),
        ):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise DatasetError(f"{what} stand twice: {', '.join(twice)}")
        used = {timed.label for video in self.videos for timed in video.labels}
        if unknown := sorted(used - set(self.labels)):
            raise DatasetError(f"unknown label {unknown[0]!r}; the classes are {', '.join(self.labels)}")

    def __len__(self) -> int:
        return len(self.videos)

    def __repr__(self) -> str:
        count = sum(len(video.labels) for video in self.videos)
        return f"TimedDataset({len(self)} videos, {count} timed labels of {len(self.labels)} classes)"
