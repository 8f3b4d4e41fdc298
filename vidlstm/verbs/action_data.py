"""From data settings to a filled data module; shared by ``train`` and ``evaluate``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.datamodules.actions import ActionData
from vidlstm.datasets import load_dataset, split_records
from vidlstm.errors import DatasetError
from vidlstm.features.extract import look_up
from vidlstm.verbs.extract import fill_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.datasets import ClipRecord, Split
    from vidlstm.features.store import FeatureStore
    from vidlstm.settings import ActionDataSettings, BackboneSettings, SamplingSettings
    from vidlstm.structures import Failure
    from vidlstm.verbs.extract import Progress


def read_split(data: ActionDataSettings, *, seed: int) -> tuple[tuple[str, ...], Split]:
    """The labels and the split that data settings describe."""
    dataset = load_dataset(data.format, data.root, data.annotations, data.fold)
    split = split_records(dataset, fold=data.fold, validation_fraction=data.validation_fraction, seed=seed)
    return dataset.labels, split


def readable_clips(
    records: Sequence[ClipRecord], failures: Sequence[Failure], *, skip_unreadable: bool
) -> list[ClipRecord]:
    """The clips that have features.

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
            raise DatasetError(f"{text}\nmend or remove them, or leave them out: --data.skip_unreadable true")
        warnings.warn(f"left out: {text}", stacklevel=2)
    return [r for r in records if r.path not in lost]


def readable_sides(
    train: Sequence[ClipRecord],
    validation: Sequence[ClipRecord],
    failures: Sequence[Failure],
    *,
    skip_unreadable: bool,
) -> list[list[ClipRecord]]:
    """The clips of both sides that have features.

    Raises:
        DatasetError: see :func:`readable_clips`; or a side has none left.
    """
    sides = [readable_clips(side, failures, skip_unreadable=skip_unreadable) for side in (train, validation)]
    if not sides[1]:
        raise DatasetError("no clip is left to validate on; see --data.fold and --data.validation_fraction")
    if train and not sides[0]:
        raise DatasetError("no clip is left to train on")
    return sides


def prepare_data(
    train: Sequence[ClipRecord],
    validation: Sequence[ClipRecord],
    labels: Sequence[str],
    *,
    data: ActionDataSettings,
    store: FeatureStore,
    backbone: Backbone,
    backbone_settings: BackboneSettings,
    sampling: SamplingSettings,
    seed: int,
    progress: Progress | None = None,
    extracted_elsewhere: bool = False,
) -> ActionData:
    """Extracts what is missing, unless another process did, and gathers all features into a data module.

    Raises:
        DatasetError: videos cannot be read, a side has no clip left, or clips are single tracks.
    """
    if tracked := [r.name for r in (*train, *validation) if r.track_id is not None]:
        raise DatasetError(
            f"{len(tracked)} clips are labelled track by track, such as {tracked[0]}; give the table "
            "that the numbers are from: --data.tracks FILE"
        )
    paths = [Path(r.path) for r in (*train, *validation)]
    if extracted_elsewhere:
        report = look_up(paths, store)
    else:
        report = fill_store(
            paths, store, backbone, backbone_settings=backbone_settings, sampling=sampling, progress=progress
        )
    for failure in report.failures:
        if failure.reason == "truncated":
            warnings.warn(str(failure), stacklevel=2)
    sides = readable_sides(train, validation, report.failures, skip_unreadable=data.skip_unreadable)
    return ActionData(
        store,
        report.hashes,
        labels,
        train=sides[0],
        validation=sides[1],
        batch_size=data.batch_size,
        max_seconds=data.max_seconds,
        seed=seed,
    )
