"""Several sequences under one label: all people of a clip, or all stretches in which one track is seen."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidlstm.datamodules.collate import SequenceDataset
from vidlstm.structures import SequenceBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vidlstm.datamodules.loading import Rows
    from vidlstm.datamodules.object_sequences import ObjectSequence


class BagDataset(Dataset[SequenceBatch]):
    """Bags of sequences; an item is a whole padded batch of bags.

    Args:
        rows_NF: the table that sequences are row ranges of.
        bounds_S2: int64 ``(S, 2)``, first and one past the last row of each sequence, bag after bag.
        sizes_G: int64, how many sequences each bag has, at least one.
        targets_G: int64 class indices.
        max_steps, random_cut: see :class:`SequenceDataset`; each sequence is cut by itself.
    """

    def __init__(
        self,
        rows_NF: Tensor,
        bounds_S2: Tensor,
        sizes_G: Tensor,
        targets_G: Tensor,
        *,
        max_steps: int | None = None,
        random_cut: bool = False,
    ) -> None:
        assert int(sizes_G.sum()) == len(bounds_S2)
        assert bool((sizes_G > 0).all()), "an empty bag"
        self._sequences = SequenceDataset(
            rows_NF,
            bounds_S2,
            torch.repeat_interleave(targets_G, sizes_G),
            max_steps=max_steps,
            random_cut=random_cut,
        )
        self.rows_NF, self.bounds_S2, self.targets, self.max_steps = rows_NF, bounds_S2, targets_G, max_steps
        self._sizes_G, self._ends_G = sizes_G, sizes_G.cumsum(0)

    def reading(self, rows: Rows) -> BagDataset:
        """The same bags, cut from ``rows``, which hold the same table."""
        other = copy(self)
        other._sequences = self._sequences.reading(rows)
        return other

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices: list[int]) -> SequenceBatch:
        """The sequences of these bags; ``extras["bag_B"]`` is the place in ``targets`` of each one's bag."""
        index_G = torch.as_tensor(indices, dtype=torch.int64)
        of_each = [torch.arange(end - size, end) for end, size in self._bounds_of(index_G)]
        batch = self._sequences[torch.cat(of_each).tolist()]
        bag_B = torch.repeat_interleave(torch.arange(len(index_G)), self._sizes_G[index_G])
        return SequenceBatch(batch.x_BTF, batch.lengths_B, self.targets[index_G], index_G, {"bag_B": bag_B})

    def _bounds_of(self, index_G: Tensor) -> list[tuple[int, int]]:
        return list(zip(self._ends_G[index_G].tolist(), self._sizes_G[index_G].tolist(), strict=True))

    def means(self) -> Tensor:
        """The mean feature vector of each bag over all steps of its sequences, ``(G, F)`` float32."""
        means = []
        for end, size in zip(self._ends_G.tolist(), self._sizes_G.tolist(), strict=True):
            pieces = [self.rows_NF[a:b] for a, b in self.bounds_S2[end - size : end].tolist()]
            means.append(torch.cat(pieces).float().mean(0))
        return torch.stack(means)


def table_of(sequences: Iterable[ObjectSequence], feature_dim: int) -> tuple[Tensor, list[int]]:
    """All rows of sequences, and one of zeros at the end, which is nobody; and where each sequence begins."""
    parts, starts, count = [], [], 0
    for sequence in sequences:
        parts.append(torch.from_numpy(sequence.features_TF))
        starts.append(count)
        count += len(sequence)
    return torch.cat([*parts, torch.zeros(1, feature_dim, dtype=torch.float16)]), starts


def bags_in(
    rows_NF: Tensor,
    bags: Sequence[Sequence[tuple[int, int]]],
    targets: Sequence[int],
    *,
    max_steps: int | None = None,
    random_cut: bool = False,
) -> BagDataset:
    """Bags of stretches of a table from :func:`table_of`; one with nothing in it is a step of nobody.

    Args:
        rows_NF: the table.
        bags: of each, the first and one past the last row of its sequences.
        targets: class indices.
        max_steps, random_cut: see :class:`BagDataset`.
    """
    nobody = [(len(rows_NF) - 1, len(rows_NF))]
    filled = [bag or nobody for bag in bags]
    return BagDataset(
        rows_NF,
        torch.tensor([bounds for bag in filled for bounds in bag], dtype=torch.int64).reshape(-1, 2),
        torch.tensor([len(bag) for bag in filled], dtype=torch.int64),
        torch.tensor(targets, dtype=torch.int64),
        max_steps=max_steps,
        random_cut=random_cut,
    )
