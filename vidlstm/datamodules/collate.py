"""Batches of sequences cut from one table of rows, and the order they come in."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from vidlstm.datamodules.loading import Rows
from vidlstm.structures import SequenceBatch

if TYPE_CHECKING:
    from collections.abc import Iterator


SPARE = -1
"""The index of a sequence that fills a batch and counts for nothing; it is the last of the dataset."""


class SequenceDataset(Dataset[SequenceBatch]):
    """Sequences as row ranges of one table; an item is a whole padded batch.

    Args:
        rows_NF: the table.
        bounds_S2: int64 ``(S, 2)``, first and one past the last row of each sequence, never empty.
        targets_S: int64 class indices.
        max_steps: longer sequences are cut: at a random place when ``random_cut``, else in the middle.
        random_cut: whether this serves training.
    """

    def __init__(
        self,
        rows_NF: Tensor,
        bounds_S2: Tensor,
        targets_S: Tensor,
        *,
        max_steps: int | None = None,
        random_cut: bool = False,
    ) -> None:
        assert bool((bounds_S2[:, 1] > bounds_S2[:, 0]).all()), "an empty sequence"
        self.rows_NF, self.bounds_S2, self.targets = rows_NF, bounds_S2, targets_S
        self.max_steps, self.random_cut = max_steps, random_cut
        self._rows = Rows(rows_NF)

    def reading(self, rows: Rows) -> SequenceDataset:
        """The same sequences, cut from ``rows``, which hold the same table."""
        other = copy(self)
        other._rows = rows
        return other

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices: list[int]) -> SequenceBatch:
        """The batch of these sequences, padded with zeros to the longest."""
        index_B = torch.as_tensor(indices, dtype=torch.int64)
        start_B, end_B = self.bounds_S2[index_B].unbind(1)
        if self.max_steps is not None:
            spare_B = (end_B - start_B - self.max_steps).clamp_min(0)
            shift_B = spare_B // 2
            if self.random_cut:
                shift_B = (torch.rand(len(index_B)) * (spare_B + 1)).long()
            start_B = start_B + shift_B
            end_B = torch.minimum(end_B, start_B + self.max_steps)
        x_BTF = self._rows.cut(start_B, end_B)
        return SequenceBatch(x_BTF, end_B - start_B, self.targets[index_B], index_B)

    def means(self) -> Tensor:
        """The mean feature vector of each sequence, ``(S, F)`` float32: blind to order."""
        means = [self.rows_NF[first:last].float().mean(0) for first, last in self.bounds_S2.tolist()]
        return torch.stack(means)


class BatchIndices(Sampler[list[int]]):
    """Which sequences make up each batch of one process.

    Every sequence goes to exactly one process. In training all processes get the same number of batches: one
    that has nothing left for the last of them gets ``SPARE``, the batches together being those of one process
    with ``world_size`` times the batch.

    Args:
        size: sequences in all.
        batch_size: per process.
        shuffle: a new order every epoch (training).
        seed: of the order; the same in all processes.
        rank, world_size: this process among all.
    """

    def __init__(
        self, size: int, batch_size: int, *, shuffle: bool, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self._size, self._batch_size, self._shuffle, self._seed = size, batch_size, shuffle, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self._epoch = epoch

    def _mine(self) -> list[int]:
        if not self._shuffle:
            return list(range(self._rank, self._size, self._world_size))
        # Mixed, not added up: else seed 0's second epoch would be seed 1's first.
        mixed = int(np.random.SeedSequence([self._seed, self._epoch]).generate_state(1)[0])
        generator = torch.Generator().manual_seed(mixed)
        order = torch.randperm(self._size, generator=generator).tolist()
        return order[self._rank :: self._world_size]

    def __iter__(self) -> Iterator[list[int]]:
        mine = self._mine()
        for first in range(0, len(self) * self._batch_size, self._batch_size):
            yield mine[first : first + self._batch_size] or [SPARE]

    def __len__(self) -> int:
        most = -(-self._size // self._world_size)  # of any process
        return -(-(most if self._shuffle else len(self._mine())) // self._batch_size)
