"""From datasets whose items are whole batches to what Lightning's trainer iterates over.

This is the one place of the data modules where devices differ. On a CPU the table of features lies where it
is read. A GPU gets a copy of it where it fits; a batch is then one gather on it, and what is sent there are a
few numbers a sequence.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning import Trainer
    from torch import Tensor
    from torch.utils.data import Dataset

    from vidlstm.structures import SequenceBatch

DEVICE_SHARE = 0.5
"""The share of a GPU's memory still free that a table may take; the rest is for the steps of the training."""


class Rows:
    """A table of rows in this machine's memory.

    Args:
        rows_NF: the table.
    """

    def __init__(self, rows_NF: Tensor) -> None:
        self._rows_NF = rows_NF

    def cut(self, start_B: Tensor, end_B: Tensor) -> Tensor:
        """The rows ``[start, end)`` of each of B sequences, ``(B, T, F)``, padded with zeros."""
        # Whole stretches copied, which takes a tenth of the time that gathering row by row does.
        stretches = zip(start_B.tolist(), end_B.tolist(), strict=True)
        return pad_sequence([self._rows_NF[first:last] for first, last in stretches], batch_first=True)


class DeviceRows(Rows):
    """A copy of such a table on a device, with a row of zeros at its end.

    Args:
        rows_NF: the table.
        device: takes the copy.
    """

    def __init__(self, rows_NF: Tensor, device: torch.device) -> None:
        copy_MF = torch.empty((len(rows_NF) + 1, rows_NF.shape[1]), dtype=rows_NF.dtype, device=device)
        copy_MF[:-1].copy_(rows_NF)
        copy_MF[-1] = 0
        super().__init__(copy_MF)
        self._device = device

    def cut(self, start_B: Tensor, end_B: Tensor) -> Tensor:
        """The same in one gather; what pads is the last row. Bounds are on the host, and nothing waits."""
        steps, last_row = int((end_B - start_B).max()), len(self._rows_NF) - 1
        bounds_2B = sent(torch.stack([start_B, end_B]), self._device)
        row_BT = bounds_2B[0, :, None] + torch.arange(steps, device=self._device)
        row_BT = torch.where(row_BT < bounds_2B[1, :, None], row_BT, last_row)
        return self._rows_NF.index_select(0, row_BT.flatten()).view(*row_BT.shape, -1)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device, without waiting for what the device is at: that takes pinned memory."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def fits(rows_NF: Tensor, device: torch.device) -> bool:
    """Whether a GPU takes a table: half of its memory that is still free holds all rows."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return rows_NF.nbytes <= DEVICE_SHARE * free


class Cut(Protocol):
    """A dataset of sequences that are cut from one table; an item is a whole batch."""

    rows_NF: Tensor

    def reading(self, rows: Rows) -> Dataset[SequenceBatch]:
        """The same sequences, cut from ``rows``, which hold the same table."""
        ...


class Loading:
    """Loaders of the datasets of one table, of which a GPU gets one copy, when it is first asked for.

    Args:
        rows_NF: the table.
    """

    def __init__(self, rows_NF: Tensor) -> None:
        self._rows_NF = rows_NF
        self._rows: dict[torch.device, Rows] = {}

    def loader(
        self, dataset: Cut, order: Iterable[object], trainer: Trainer | None
    ) -> DataLoader[SequenceBatch]:
        """Batches for a trainer.

        Args:
            dataset: cut from the table.
            order: what the dataset is asked for, batch by batch.
            trainer: says on which device; None leaves everything in this machine's memory.
        """
        assert dataset.rows_NF is self._rows_NF
        device = device_of(trainer)
        if device not in self._rows:
            there = fits(self._rows_NF, device)
            self._rows[device] = DeviceRows(self._rows_NF, device) if there else Rows(self._rows_NF)
        return batches(dataset.reading(self._rows[device]), order, device)


def device_of(trainer: Trainer | None) -> torch.device:
    """Where a trainer computes; this machine's memory without one."""
    return trainer.strategy.root_device if trainer else torch.device("cpu")


def batches(
    dataset: Dataset[SequenceBatch], order: Iterable[object], device: torch.device
) -> DataLoader[SequenceBatch]:
    """Batches on a device.

    Args:
        dataset: an item is a batch, so the loader must not collate; it lies in memory, so worker processes
            would only copy it.
        order: what the dataset is asked for.
        device: a GPU's batches are sent there as they come; from others Lightning moves them.
    """
    send = partial(batch_on, device) if device.type == "cuda" else None
    # Its own generator leaves the global one to dropout and cuts, or a resumed run would draw otherwise.
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=order,
        generator=torch.Generator(),
        collate_fn=send,
    )


def batch_on(device: torch.device, batch: SequenceBatch) -> SequenceBatch:
    """A batch on a GPU, without waiting for it."""
    return batch.pin_memory().to(device, non_blocking=True)
