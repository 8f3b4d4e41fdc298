"""Long videos with timed labels to batches of windows, each step with its target."""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.datamodules.loading import Loading, Rows
from vidlstm.datamodules.sequence_data import feature_statistics
from vidlstm.datamodules.step_targets import UNKNOWN, overlap_seconds, step_targets
from vidlstm.datamodules.window_order import Window, WindowOrder
from vidlstm.errors import DatasetError, SettingsError
from vidlstm.structures import SequenceBatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch.utils.data import DataLoader

    from vidlstm.datasets.timed import TimedVideo
    from vidlstm.features.given import GivenStore
    from vidlstm.features.store import FeatureStore
    from vidlstm.settings import SegmentationDataSettings

SHORTEST_OVERLAP = 1.0
"""Seconds that labels may overlap in all of a side before there is a warning: borders set by hand touch."""


class StepDataset(Dataset[SequenceBatch]):
    """Windows of long sequences, a target a step; an item is a whole padded batch.

    Args:
        rows_NF: the table of features.
        bounds_S2: int64 ``(S, 2)``, first and one past the last row of each sequence.
        targets: of each sequence, class numbers ``(T,)`` or ``(T, K)``; -1 is unknown.
    """

    def __init__(self, rows_NF: Tensor, bounds_S2: Tensor, targets: Sequence[Tensor]) -> None:
        self.rows_NF, self.bounds_S2, self.targets = rows_NF, bounds_S2, list(targets)
        self._rows = Rows(rows_NF)

    def reading(self, rows: Rows) -> StepDataset:
        """The same windows, cut from ``rows``, which hold the same table."""
        other = copy(self)
        other._rows = rows
        return other

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> list[int]:
        """Steps of each sequence."""
        counts: list[int] = (self.bounds_S2[:, 1] - self.bounds_S2[:, 0]).tolist()
        return counts

    def features(self, sequence: int) -> Tensor:
        """All features of a sequence, ``(T, F)``."""
        first, last = self.bounds_S2[sequence].tolist()
        return self.rows_NF[first:last]

    def __getitem__(self, windows: list[Window]) -> SequenceBatch:
        """The batch of these windows, padded to the longest; ``extras`` say how they hang together.

        ``extras["slot_B"]`` numbers the states that are carried, and ``extras["fresh_B"]`` is true where a
        window is the first of its sequence.
        """
        first_B = torch.stack([self.bounds_S2[w.sequence, 0] + w.first for w in windows])
        lengths_B = torch.tensor([w.last - w.first for w in windows])
        targets = [self.targets[w.sequence][w.first : w.last] for w in windows]
        return SequenceBatch(
            self._rows.cut(first_B, first_B + lengths_B),
            lengths_B,
            pad_sequence(targets, batch_first=True, padding_value=UNKNOWN),
            torch.tensor([w.sequence for w in windows]),
            {
                "slot_B": torch.tensor([w.slot for w in windows]),
                "fresh_B": torch.tensor([w.first == 0 for w in windows]),
            },
        )


class SegmentationData(LightningDataModule):
    """Training and validation batches of long videos.

    Args:
        store: holds the features of every video named in ``hashes``.
        hashes: video path to the hash its features are stored under.
        labels: the class names, in the order of the network's outputs; the background among them.
        train, validation: the videos; ``validation`` is what is evaluated, whatever it is called outside.
        settings: of the data.
        seed: of the training order.

    Raises:
        DatasetError: a video holds no frame, or none of its labels does.

    Warns:
        UserWarning: labels overlap, and only one of them can count.
    """

    def __init__(
        self,
        store: FeatureStore | GivenStore,
        hashes: Mapping[Path, str],
        labels: Sequence[str],
        *,
        train: Sequence[TimedVideo],
        validation: Sequence[TimedVideo],
        settings: SegmentationDataSettings,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.labels, self.fps, self._settings, self._seed = tuple(labels), store.spec.fps, settings, seed
        self.table = FeatureTable(store, (hashes[video.path] for video in (*train, *validation)))
        self._hashes, self._loading = hashes, Loading(self.table.rows_NF)
        self.train_videos, self.validation_videos = self._in_clock(train), self._in_clock(validation)
        self.train_set = self._steps(self.train_videos) if train else None
        self.validation_set = self._steps(self.validation_videos)

    def _in_clock(self, videos: Sequence[TimedVideo]) -> tuple[TimedVideo, ...]:
        """The videos with their labels in the container's own clock, which is that of the features."""
        if empty := [v.name for v in videos if not len(self.times_of(v))]:
            raise DatasetError(f"{empty[0]} holds no frame; leave it out")
        return tuple(video.in_container_clock(float(self.times_of(video)[0])) for video in videos)

    def _steps(self, videos: Sequence[TimedVideo]) -> StepDataset:
        twice = sum(map(overlap_seconds, videos))
        if twice > SHORTEST_OVERLAP and not self._settings.multi_label:
            warnings.warn(
                f"labels overlap for {twice:.1f} s, where the one that begins later counts; "
                "`data.multi_label true` learns both",
                stacklevel=4,
            )
        bounds = [self.table.rows_of(self._hashes[video.path], None, None) for video in videos]
        targets = [torch.from_numpy(self._targets(video)) for video in videos]
        return StepDataset(self.table.rows_NF, torch.tensor(bounds).reshape(-1, 2), targets)

    def _targets(self, video: TimedVideo) -> np.ndarray:
        settings = self._settings
        return step_targets(
            video,
            self.times_of(video),
            self.labels,
            background=settings.background,
            multi_label=settings.multi_label,
        )

    def times_of(self, video: TimedVideo) -> np.ndarray:
        """The times ``(T,)`` of a video's steps."""
        return self.table.times_of(self._hashes[video.path])

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and spread ``(F,)`` of the training features, labelled or not."""
        assert self.train_set is not None
        return feature_statistics(self.train_set.rows_NF, self.train_set.bounds_S2)

    def class_counts(self) -> Tensor:
        """Training steps per class, int64 ``(K,)``."""
        assert self.train_set is not None
        targets = torch.cat(self.train_set.targets)
        if targets.ndim > 1:
            return targets.sum(0)
        return torch.bincount(targets[targets != UNKNOWN], minlength=len(self.labels))

    def known_steps(self) -> int:
        """Training steps of which something is to be learned."""
        assert self.train_set is not None
        return int(sum((t if t.ndim == 1 else t[:, 0]).ne(UNKNOWN).sum() for t in self.train_set.targets))

    def steps_per_epoch(self, world_size: int) -> int:
        """Training steps of one process in one epoch."""
        return len(self._order(self._training(), rank=0, world_size=world_size))

    def _training(self) -> StepDataset:
        assert self.train_set is not None
        return self.train_set

    def _order(self, dataset: StepDataset, *, rank: int, world_size: int) -> WindowOrder:
        seconds = self._settings.window_seconds
        return WindowOrder(
            dataset.lengths,
            None if seconds is None else max(1, round(seconds * self.fps)),
            self._settings.batch_size,
            carry=self._settings.carry_state,
            seed=self._seed,
            rank=rank,
            world_size=world_size,
        )

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        """Windows: at random places and shuffled, or one after another with the state carried on."""
        rank, world_size = self._place()
        if self._settings.carry_state and world_size > 1:
            raise SettingsError("`data.carry_state` is for one process; set `trainer.devices 1`")
        if len(self._training()) < world_size:
            raise SettingsError(
                f"{len(self._training())} videos cannot be shared among {world_size} processes; lower "
                "`trainer.devices`"
            )
        order = self._order(self._training(), rank=rank, world_size=world_size)
        return self._loading.loader(self._training(), order, self.trainer)

    def val_dataloader(self) -> DataLoader[SequenceBatch]:
        """Every validation video whole and once, in order."""
        rank, world_size = self._place()
        lengths = self.validation_set.lengths
        mine = range(rank, len(lengths), world_size)
        order = [[Window(s, 0, lengths[s])] for s in mine]
        return self._loading.loader(self.validation_set, order, self.trainer)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
