"""Long videos with timed labels to a filled data module: read, split, extract, gather."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.datamodules.segmentation import SegmentationData
from vidlstm.datasets.files import existing_folder
from vidlstm.datasets.timed_formats import load_timed
from vidlstm.datasets.timed_splits import split_videos
from vidlstm.errors import DatasetError, SettingsError
from vidlstm.features.given_files import find_feature_files
from vidlstm.tasks.action.data import readable_clips
from vidlstm.tasks.frames import FEATURES, gather_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.backbones.base import Backbone
    from vidlstm.datasets.timed import TimedDataset, TimedVideo
    from vidlstm.datasets.timed_splits import TimedSplit
    from vidlstm.features.given import GivenFeatures
    from vidlstm.settings import SegmentationDataSettings
    from vidlstm.tasks.base import Run
    from vidlstm.tasks.frames import How


def read_videos(data: SegmentationDataSettings) -> TimedDataset:
    """The videos and labels that data settings describe.

    Raises:
        SettingsError: no annotations are given.
        DatasetError: they are not what their format says.
    """
    if data.annotations is None:
        raise SettingsError("`data.annotations` is missing: the file that says what happens when")
    given = data.format == FEATURES
    return load_timed(
        data.annotations,
        videos=_feature_files(data.annotations, data.root) if given else data.root,
        format="auto" if given else data.format,
        labelled_fps=data.labelled_fps,
        fold=data.fold,
    )


def _feature_files(annotations: Path, root: Path | None) -> list[Path]:
    """The files of features below the root, or else where the annotations lie."""
    beside = annotations if annotations.is_dir() else annotations.parent
    return find_feature_files([existing_folder(beside if root is None else root, "`data.root`")])


def classes_of(dataset: TimedDataset, data: SegmentationDataSettings) -> tuple[str, ...]:
    """The classes in the order of the outputs; an own background comes last."""
    own = data.background is not None and data.background not in dataset.labels
    return (*dataset.labels, data.background) if own and data.background else dataset.labels


def require_two(labels: Sequence[str], data: SegmentationDataSettings) -> None:
    """Refuses to learn from one class, which every step would be of.

    Raises:
        DatasetError: labels do not overlap, and there is but one.
    """
    if len(labels) < 2 and not data.multi_label:
        raise DatasetError(
            f"all labels are of one class, {', '.join(labels)}: there is nothing to tell apart. Where a step "
            "without a label shows something else, say `data.background none`, or `data.multi_label true`"
        )


def read_sides(data: SegmentationDataSettings, *, seed: int) -> tuple[tuple[str, ...], TimedSplit]:
    """The classes and the split that data settings describe."""
    dataset = read_videos(data)
    split = split_videos(dataset, fold=data.fold, validation_fraction=data.validation_fraction, seed=seed)
    return classes_of(dataset, data), split


def gather_videos(
    train: Sequence[TimedVideo],
    validation: Sequence[TimedVideo],
    labels: Sequence[str],
    data: SegmentationDataSettings,
    network: Backbone | GivenFeatures,
    how: How,
    run: Run,
) -> SegmentationData:
    """Extracts what is missing, unless another process did, and gathers all features into a data module.

    Raises:
        DatasetError: videos cannot be read, or a side has none left.
    """
    store, report = gather_features([Path(video.path) for video in (*train, *validation)], network, how, run)
    sides = [
        readable_clips(side, report.failures, skip_unreadable=data.skip_unreadable)
        for side in (train, validation)
    ]
    if not sides[1]:
        raise DatasetError("no video is left to validate on; see `data.fold` and `data.validation_fraction`")
    if train and not sides[0]:
        raise DatasetError("no video is left to train on")
    return SegmentationData(
        store, report.hashes, labels, train=sides[0], validation=sides[1], settings=data, seed=run.seed
    )
