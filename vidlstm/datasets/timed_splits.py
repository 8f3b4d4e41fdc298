"""Who trains, who validates, of long videos: the rules for clips, each label of a video counting as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidlstm.datasets.records import SPLITS, ClipDataset, ClipRecord
from vidlstm.datasets.splits import split_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidlstm.datasets.timed import TimedDataset, TimedVideo


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
    split = split_records(
        ClipDataset(tuple(records), tuple(sorted({r.label for r in records})), dataset.official_fold),
        fold=fold,
        validation_fraction=validation_fraction,
        seed=seed,
    )
    return TimedSplit(**{side: _videos(dataset, getattr(split, side)) for side in SPLITS})


def _records(video: TimedVideo, spare: str) -> list[ClipRecord]:
    labels = [timed.label for timed in video.labels] or [spare]
    about: dict[str, Any] = {name: getattr(video, name) for name in ("group", "fold", "split", "name")}
    return [ClipRecord(video.path, label, **about) for label in labels]


def _videos(dataset: TimedDataset, records: Iterable[ClipRecord]) -> tuple[TimedVideo, ...]:
    names = {record.name for record in records}
    return tuple(video for video in dataset.videos if video.name in names)
