"""Batches of labelled sequences for training and validation, wherever the sequences come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from lightning import LightningDataModule
from torch import Tensor

from vidlstm.datamodules.collate import BatchIndices
from vidlstm.datamodules.loading import Loading
from vidlstm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.utils.data import DataLoader

    from vidlstm.datamodules.bags import BagDataset
    from vidlstm.datamodules.collate import SequenceDataset
    from vidlstm.datasets.records import ClipRecord
    from vidlstm.structures import SequenceBatch

MOST_ROWS = 4096
"""Of features that are widened to float64 at once; a sequence may be hours long."""


class SequenceData(LightningDataModule):
    """Training and validation batches of clips.

    Args:
        labels: the class names, in the order of the classifier's outputs.
        train, validation: the clips; ``validation`` is what is evaluated, whatever it is called outside.
        train_set, validation_set: an item a clip, in the same order; None where nothing is trained.
        fps: steps a second.
        batch_size: clips per process and step.
        seed: of the training order.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        train: Sequence[ClipRecord],
        validation: Sequence[ClipRecord],
        train_set: SequenceDataset | BagDataset | None,
        validation_set: SequenceDataset | BagDataset,
        fps: float,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.labels, self.train_records, self.validation_records = tuple(labels), train, validation
        self.train_set, self.validation_set = train_set, validation_set
        self._batch_size, self._seed, self._fps = batch_size, seed, fps
        self._loading = Loading(validation_set.rows_NF)

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and spread ``(F,)`` of the training features."""
        assert self.train_set is not None
        return feature_statistics(self.train_set.rows_NF, self.train_set.bounds_S2)

    def class_counts(self) -> Tensor:
        """Training clips per class, int64 ``(K,)``."""
        assert self.train_set is not None
        return torch.bincount(self.train_set.targets, minlength=len(self.labels))

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

    def _loader(self, dataset: SequenceDataset | BagDataset, *, shuffle: bool) -> DataLoader[SequenceBatch]:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        if len(dataset) < world_size:
            raise SettingsError(
                f"{len(dataset)} clips cannot be shared among {world_size} processes; lower `trainer.devices`"
            )
        order = BatchIndices(
            len(dataset), self._batch_size, shuffle=shuffle, seed=self._seed, rank=rank, world_size=world_size
        )
        return self._loading.loader(dataset, order, trainer)


def feature_statistics(rows_NF: Tensor, bounds_S2: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread ``(F,)`` of the rows of some sequences, in float64 sums a chunk at a time.

    Args:
        rows_NF: the table.
        bounds_S2: first and one past the last row of each sequence.
    """
    width = rows_NF.shape[1]
    total, square, count = torch.zeros(width).double(), torch.zeros(width).double(), 0
    for start, end in bounds_S2.tolist():
        for first in range(start, end, MOST_ROWS):
            rows = rows_NF[first : min(end, first + MOST_ROWS)].double()
            total, square, count = total + rows.sum(0), square + rows.square().sum(0), count + len(rows)
    mean = total / count
    return mean.float(), (square / count - mean.square()).clamp_min(0).sqrt().float()
