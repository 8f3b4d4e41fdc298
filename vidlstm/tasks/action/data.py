"""Labelled clips to a filled data module: read, split, extract, gather."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vidlstm.datamodules.actions import ActionData
from vidlstm.datasets import ClipRecord, load_dataset, split_records
from vidlstm.datasets.duplicates import warn_of_same_videos
from vidlstm.datasets.timed import TimedVideo
from vidlstm.errors import DatasetError
from vidlstm.tasks.frames import gather_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.datasets import Split
    from vidlstm.features.given import GivenFeatures
    from vidlstm.settings import ActionDataSettings
    from vidlstm.structures import Failure
    from vidlstm.tasks.base import Run
    from vidlstm.tasks.frames import How

Record = TypeVar("Record", ClipRecord, TimedVideo)


def read_split(data: ActionDataSettings, *, seed: int) -> tuple[tuple[str, ...], Split]:
    """The labels and the split that data settings describe."""
    dataset = load_dataset(data.format, data.root, data.annotations, data.fold)
    if len(dataset.labels) < 2:
        raise DatasetError(
            f"all clips are of one class, {', '.join(dataset.labels)}: there is nothing to tell apart; a "
            "classifier needs two at least, such as one of everything else"
        )
    split = split_records(dataset, fold=data.fold, validation_fraction=data.validation_fraction, seed=seed)
    return dataset.labels, split


def readable_clips(
    records: Sequence[Record], failures: Sequence[Failure], *, skip_unreadable: bool
) -> list[Record]:
    """The clips, or long videos, that have features.

    Raises:
        DatasetError: some have none, and ``skip_unreadable`` is not set; it lists them.
    """
    lost = {f.path: f for f in failures if f.reason != "truncated"}
    missing = list(dict.fromkeys(r.path for r in records if r.path in lost))
    if missing:
        listed = "".join(f"\n  {lost[path]}" for path in missing[:10])
        more = f"\n  ... and {len(missing) - 10} more" if len(missing) > 10 else ""
        text = f"{len(missing)} videos cannot be read:{listed}{more}"
        if not skip_unreadable:
            raise DatasetError(f"{text}\nmend or remove them, or leave them out: `data.skip_unreadable true`")
        warnings.warn(f"left out: {text}", stacklevel=2)
    return [r for r in records if r.path not in lost]


def readable_sides(
    clips: Clips, failures: Sequence[Failure], *, skip_unreadable: bool
) -> list[list[ClipRecord]]:
    """The clips of both sides that have features.

    Raises:
        DatasetError: see :func:`readable_clips`; or a side has none left.
    """
    both = (clips.train, clips.validation)
    sides = [readable_clips(side, failures, skip_unreadable=skip_unreadable) for side in both]
    if not sides[1]:
        raise DatasetError(
            "no clip is left to validate on: hold some out with `data.validation_fraction 0.2` or `data.fold`"
        )
    if clips.train and not sides[0]:
        raise DatasetError("no clip is left to train on")
    return sides


@dataclass(frozen=True)
class Clips:
    """Labelled clips: of training, to be validated or scored, and the classes in the order of the outputs."""

    train: Sequence[ClipRecord]
    validation: Sequence[ClipRecord]
    labels: Sequence[str]

    @property
    def records(self) -> list[ClipRecord]:
        """All of them."""
        return [*self.train, *self.validation]


def gather_clips(
    clips: Clips, data: ActionDataSettings, network: Backbone | GivenFeatures, how: How, run: Run
) -> ActionData:
    """Extracts what is missing, unless another process did, and gathers all features into a data module.

    Raises:
        DatasetError: videos cannot be read, a side has no clip left, or clips are single tracks.
    """
    if tracked := [r.name for r in clips.records if r.track_id is not None]:
        raise DatasetError(
            f"{len(tracked)} clips are labelled track by track, such as {tracked[0]}; they need "
            "`task object_action` and the table that the numbers are from: `data.tracks FILE`"
        )
    store, report = gather_features([Path(r.path) for r in clips.records], network, how, run)
    sides = readable_sides(clips, report.failures, skip_unreadable=data.skip_unreadable)
    if run.extracts:
        warn_of_same_videos({"train": sides[0], "validation": sides[1]}, report.hashes)
    return ActionData(
        store,
        report.hashes,
        clips.labels,
        train=sides[0],
        validation=sides[1],
        batch_size=data.batch_size,
        max_seconds=data.max_seconds,
        seed=run.seed,
    )
