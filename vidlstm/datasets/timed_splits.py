"""Who trains, who validates, of long videos: the rules for clips, each label of a video counting as one."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidlstm.datasets.records import SPLITS, ClipDataset, ClipRecord
from vidlstm.datasets.splits import split_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidlstm.datasets.timed import TimedDataset, TimedVideo

DRAWS = 16
"""Long videos are few, with many labels each: a draw where no label is missing may hold out half of them."""


@dataclass(frozen=True, eq=False)
class TimedSplit:
    """The three sides; every video in one of them, in the order of the dataset."""

    train: tuple[TimedVideo, ...]
    validation: tuple[TimedVideo, ...]
    test: tuple[TimedVideo, ...] = ()

    def __repr__(self) -> str:
        return f"TimedSplit({', '.join(f'{len(getattr(self, side))} {side}' for side in SPLITS)})"


def split_videos(
    dataset: TimedDataset, *, fold: int | None, validation_fraction: float, seed: int
) -> TimedSplit:
    """Splits long videos; see :func:`split_records`, whose rules and errors hold.

    Where videos are held out at random, that is drawn several times, and the draw is taken that comes
    nearest to the share asked for, in labels and in their seconds.

    Args:
        dataset: the videos.
        fold: the fold to validate on.
        validation_fraction: the share of labels to hold out where nothing else says, in [0, 1).
        seed: decides which groups are held out.

    Raises:
        DatasetError: there is no such fold, a class has no training label, or nothing can be held out.
    """
    # A video without labels stands for the commonest one, so that it has a side and empties no class.
    labels = Counter(timed.label for video in dataset.videos for timed in video.labels)
    spare = min(labels, key=lambda label: (-labels[label], label))
    records = [record for video in dataset.videos for record in _records(video, spare)]
    clips = ClipDataset(tuple(records), tuple(sorted({r.label for r in records})), dataset.official_fold)

    def drawn(seed: int) -> TimedSplit:
        split = split_records(clips, fold=fold, validation_fraction=validation_fraction, seed=seed)
        return TimedSplit(**{side: _videos(dataset, getattr(split, side)) for side in SPLITS})

    if fold is not None or any(video.split == "validation" for video in dataset.videos):
        return drawn(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the one that is taken says it
        seeds = range(seed * DRAWS, (seed + 1) * DRAWS)
        nearest = min(seeds, key=lambda one: _distance(drawn(one), validation_fraction))
    return drawn(nearest)


def _distance(split: TimedSplit, fraction: float) -> float:
    """How far what is held out is from the share asked for, in labels and in seconds."""
    held, kept = (
        np.array([(1.0, at.end_seconds - at.start_seconds) for video in side for at in video.labels]).sum(0)
        for side in (split.validation, split.train)
    )
    return float(np.abs(held / (held + kept) - fraction).sum())


def _records(video: TimedVideo, spare: str) -> list[ClipRecord]:
    labels = [timed.label for timed in video.labels] or [spare]
    about: dict[str, Any] = {name: getattr(video, name) for name in ("group", "fold", "split", "name")}
    return [ClipRecord(video.path, label, **about) for label in labels]


def _videos(dataset: TimedDataset, records: Iterable[ClipRecord]) -> tuple[TimedVideo, ...]:
    names = {record.name for record in records}
    return tuple(video for video in dataset.videos if video.name in names)
