"""Clip records and a feature store to batches for action classification."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from vidlstm.datamodules.collate import BatchIndices, SequenceDataset
from vidlstm.datamodules.feature_table import FeatureTable
from vidlstm.errors import DatasetError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vidlstm.datasets.records import ClipRecord
    from vidlstm.features.store import FeatureStore
    from vidlstm.structures import SequenceBatch


class ActionData(LightningDataModule):
    """Training and validation batches, gathered from one table of features.

    Args:
        store: holds the features of every video named in ``hashes``.
        hashes: video path to the hash its features are stored under.
        labels: the class names, in the order of the classifier's outputs.
        train, validation: the clips; ``validation`` is what is evaluated, whatever it is called outside.
        batch_size: sequences per process and step.
        max_seconds: longer clips are cut; None keeps them whole.
        seed: of the training order.
        map_above_bytes: see :class:`FeatureTable`.

    Raises:
        DatasetError: a clip holds no sampled frame.
    """

    def __init__(
        self,
        store: FeatureStore,
        hashes: Mapping[Path, str],
        labels: Sequence[str],
        *,
        train: Sequence[ClipRecord],
        validation: Sequence[ClipRecord],
        batch_size: int = 32,
        max_seconds: float | None = None,
        seed: int = 0,
        map_above_bytes: int | None = None,
    ) -> None:
        super().__init__()
        self.labels, self.train_records, self.validation_records = tuple(labels), train, validation
        self._batch_size, self._seed, self._fps = batch_size, seed, store.spec.fps
        self._hashes = hashes
        clips = [*train, *validation]
        self.table = FeatureTable(store, (hashes[r.path] for r in clips), map_above_bytes=map_above_bytes)
        max_steps = None if max_seconds is None else max(1, round(max_seconds * self._fps))
        self.train_set = self._sequences(train, max_steps, random_cut=True) if train else None
        self.validation_set = self._sequences(validation, max_steps, random_cut=False)

    def _sequences(
        self, records: Sequence[ClipRecord], max_steps: int | None, *, random_cut: bool
    ) -> SequenceDataset:
        index = {label: i for i, label in enumerate(self.labels)}
        bounds = [self.table.rows_of(self._hashes[r.path], r.start_seconds, r.end_seconds) for r in records]
        empty = [r.name for r, (first, last) in zip(records, bounds, strict=True) if last <= first]
        if empty:
            raise DatasetError(
                f"{len(empty)} clips hold no frame between their start and end, such as {empty[0]}; "
                "compare start_seconds and end_seconds with the video's own times"
            )
        return SequenceDataset(
            self.table.rows_NF,
            torch.tensor(bounds, dtype=torch.int64).reshape(-1, 2),
            torch.tensor([index[r.label] for r in records], dtype=torch.int64),
            max_steps=max_steps,
            random_cut=random_cut,
        )

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and spread ``(F,)`` of the training features, in float64 sums a chunk at a time."""
        assert self.train_set is not None
        width = self.table.rows_NF.shape[1]
        total, square, count = torch.zeros(width).double(), torch.zeros(width).double(), 0
        for first, last in self.train_set.bounds_S2.tolist():
            rows = self.table.rows_NF[first:last].double()
            total, square, count = total + rows.sum(0), square + rows.square().sum(0), count + len(rows)
        mean = total / count
        return mean.float(), (square / count - mean.square()).clamp_min(0).sqrt().float()

    def class_counts(self) -> Tensor:
        """Training clips per class, int64 ``(K,)``."""
        assert self.train_set is not None
        return torch.bincount(self.train_set.targets_S, minlength=len(self.labels))

    def median_seconds(self) -> float:
        """The median length of a training clip: the window a long video is later cut into."""
        assert self.train_set is not None
        steps = (self.train_set.bounds_S2[:, 1] - self.train_set.bounds_S2[:, 0]).double()
        if self.train_set.max_steps is not None:
            steps = steps.clamp_max(self.train_set.max_steps)
        return float(steps.median()) / self._fps

    def steps_per_epoch(self, world_size: int) -> int:
        """Training steps of one process in one epoch."""
        assert self.train_set is not None
        return math.ceil(math.ceil(len(self.train_set) / world_size) / self._batch_size)

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        """Shuffled batches."""
        assert self.train_set is not None
        return self._loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> DataLoader[SequenceBatch]:
        """Every validation clip once, in order."""
        return self._loader(self.validation_set, shuffle=False)

    def _loader(self, dataset: SequenceDataset, *, shuffle: bool) -> DataLoader[SequenceBatch]:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        if len(dataset) < world_size:
            raise SettingsError(
                f"{len(dataset)} clips cannot be shared among {world_size} processes; lower --trainer.devices"
            )
        order = BatchIndices(
            len(dataset), self._batch_size, shuffle=shuffle, seed=self._seed, rank=rank, world_size=world_size
        )
        # An item is a batch already, so the loader must not collate; the features are in memory, so worker
        # processes would only copy them. Its own generator leaves the global one to dropout and cuts.
        return DataLoader(
            dataset,
            batch_size=None,
            sampler=order,
            generator=torch.Generator(),
            pin_memory=torch.cuda.is_available(),
        )
