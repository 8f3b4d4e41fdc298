"""Track tables to batches for forecasting; every window is in memory, so a batch is one gather."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from vidlstm.datamodules.collate import BatchIndices
from vidlstm.datamodules.loading import batches, device_of
from vidlstm.datamodules.path_windows import PathWindows, cut_windows, find_neighbours
from vidlstm.errors import DatasetError
from vidlstm.structures import SequenceBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch.utils.data import DataLoader

    from vidlstm.datasets.tracks import TrackTable

NEIGHBOURS = "neighbours_BNT2"
RECORDING = "recording_B"
SCENE = "scene_B"
ORIGIN = "origin_BC"


class WindowDataset(Dataset[SequenceBatch]):
    """Windows as whole batches, centred on each window's last observed place (sizes of boxes are kept).

    What the network sees times ``scale_N`` plus ``origin_NC`` is where it was.

    Args:
        tables: the recordings that ``windows`` were cut from.
        windows: N windows.
        observed: steps that are seen; the rest are targets.
        neighbours: how many of the nearest others to give with each window; 0 for none.
        by_height: count lengths in the window's own box height (the median of the observed steps), so that
            near and far objects are alike.

    Raises:
        DatasetError: heights are asked of points.
    """

    def __init__(
        self,
        tables: Sequence[TrackTable],
        windows: PathWindows,
        *,
        observed: int,
        neighbours: int = 0,
        by_height: bool = False,
    ) -> None:
        self.windows, self.observed = windows, observed
        origin_NC = windows.paths_NTC[:, observed - 1].copy()
        origin_NC[:, 2:] = 0.0
        scale_N = np.ones(len(windows))
        if by_height:
            if windows.paths_NTC.shape[2] != 4:
                raise DatasetError("points have no height; leave data.normalise at none")
            scale_N = np.median(windows.paths_NTC[:, :observed, 3], axis=1)
        # Centred in float64 first: pixels and map coordinates may be large.
        self.paths_NTC = torch.from_numpy(
            (windows.paths_NTC - origin_NC[:, None]) / scale_N[:, None, None]
        ).float()
        self.origin_NC, self.scale_N = torch.from_numpy(origin_NC), torch.from_numpy(scale_N)
        self.recording_N = torch.from_numpy(windows.recording_N)
        self.scene_N = torch.from_numpy(windows.scene_of())
        self.neighbours_NMT2: Tensor | None = None
        if neighbours:
            others = find_neighbours(tables, windows, observed=observed, limit=neighbours)
            others = (others - origin_NC[:, None, None, :2]) / scale_N[:, None, None, None]
            self.neighbours_NMT2 = torch.from_numpy(others).float()

    def __len__(self) -> int:
        return len(self.paths_NTC)

    def __getitem__(self, indices: list[int]) -> SequenceBatch:
        """The batch of these windows; all have the same length."""
        index_B = torch.as_tensor(indices, dtype=torch.int64)
        paths_BTC = self.paths_NTC[index_B]
        extras = {
            ORIGIN: self.origin_NC[index_B],
            RECORDING: self.recording_N[index_B],
            SCENE: self.scene_N[index_B],
        }
        if self.neighbours_NMT2 is not None:
            extras[NEIGHBOURS] = self.neighbours_NMT2[index_B]
        return SequenceBatch(
            x_BTF=paths_BTC[:, : self.observed],
            lengths_B=torch.full((len(index_B),), self.observed, dtype=torch.int64),
            targets=paths_BTC[:, self.observed :],
            index_B=index_B,
            extras=extras,
        )


class BalancedIndices(Sampler[list[int]]):
    """Training batches drawn with replacement, so that long recordings do not drown short ones.

    A window of a recording with n windows is drawn with a weight of n ** (balance - 1): balance 1 draws
    windows alike, 0 draws recordings alike.

    Args:
        recording_N: the recording of each window.
        batch_size: per process.
        draws: windows per epoch, all processes together.
        balance: between 0 and 1.
        seed: of the draws; the same in all processes.
        rank, world_size: this process among all.
    """

    def __init__(
        self,
        recording_N: Tensor,
        batch_size: int,
        *,
        draws: int,
        balance: float,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= balance <= 1:
            raise ValueError(f"balance must lie between 0 and 1, not {balance}")
        counts = torch.bincount(recording_N).double()
        self._weights_N = counts[recording_N] ** (balance - 1)
        self._batch_size, self._each = batch_size, -(-draws // world_size)
        self._seed, self._rank, self._world_size, self._epoch = seed, rank, world_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        # A seed apart for every epoch of every run: seed + epoch would repeat draws between runs.
        generator = torch.Generator().manual_seed(self._seed * 100_003 + self._epoch)
        total = self._each * self._world_size
        drawn = torch.multinomial(self._weights_N, total, replacement=True, generator=generator)
        for batch in torch.split(drawn[self._rank :: self._world_size], self._batch_size):
            yield batch.tolist()

    def __len__(self) -> int:
        return -(-self._each // self._batch_size)


class TrajectoryData(LightningDataModule):
    """Training and evaluation windows of track tables.

    Args:
        train, validation, test: recordings; ``test`` may be empty.
        observed: steps that are seen.
        horizon: steps to forecast.
        neighbours: the nearest others given with each window; 0 for none.
        minimum_tracks: the selection rule of evaluation windows; see :func:`cut_windows`.
        batch_size: windows per process and step.
        draws_per_epoch: training windows drawn each epoch.
        balance: see :class:`BalancedIndices`.
        by_height: see :class:`WindowDataset`.
        seed: of the draws.

    Attributes:
        unit: of the lengths that networks see: metres, pixels or box heights.

    Raises:
        DatasetError: a side has no window long enough, or recordings differ in unit, width or rate.
    """

    def __init__(
        self,
        *,
        train: Sequence[TrackTable],
        validation: Sequence[TrackTable],
        test: Sequence[TrackTable] = (),
        observed: int = 8,
        horizon: int = 12,
        neighbours: int = 0,
        minimum_tracks: int = 1,
        batch_size: int = 256,
        draws_per_epoch: int = 16384,
        balance: float = 0.75,
        by_height: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_alike([*train, *validation, *test])
        self.observed, self.horizon, self.neighbours = observed, horizon, neighbours
        self.by_height = by_height
        self.batch_size, self.draws, self.balance, self.seed = batch_size, draws_per_epoch, balance, seed
        self.train_set = self._windows(train, "training", 1) if train else None
        self.validation_set = self._windows(validation, "validation", minimum_tracks) if validation else None
        self.test_set = self._windows(test, "test", minimum_tracks) if test else None
        first = next(iter([*train, *validation, *test]))
        self.unit = "box heights" if by_height else first.unit
        self.seconds_per_step = first.seconds_per_step
        self.coordinates = first.positions_RC.shape[1]

    def _windows(self, tables: Sequence[TrackTable], side: str, minimum_tracks: int) -> WindowDataset:
        windows = cut_windows(
            tables,
            steps=self.observed + self.horizon,
            minimum_tracks=minimum_tracks,
            seen_at=self.observed - 1,
        )
        if not len(windows):
            raise DatasetError(
                f"no {side} track lasts {self.observed} + {self.horizon} steps without a gap; "
                f"looked in {', '.join(t.recording for t in tables)}"
            )
        return WindowDataset(
            tables,
            windows,
            observed=self.observed,
            neighbours=self.neighbours,
            by_height=self.by_height,
        )

    def typical_step(self) -> float:
        """The median length of a step in the training windows, in their unit; see :func:`typical_length`."""
        assert self.train_set is not None
        step_NU = torch.diff(self.train_set.paths_NTC[..., :2], dim=1).norm(dim=-1)
        typical = typical_length(step_NU.numpy())
        if typical is None:
            raise DatasetError("no training track moves; there is nothing to forecast")
        return typical

    def train_dataloader(self) -> DataLoader[SequenceBatch]:
        """Balanced draws."""
        assert self.train_set is not None
        rank, world_size = self._place()
        order = BalancedIndices(
            self.train_set.recording_N,
            self.batch_size,
            draws=self.draws,
            balance=self.balance,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
        )
        return batches(self.train_set, order, device_of(self.trainer))

    def val_dataloader(self) -> DataLoader[SequenceBatch]:
        """Every validation window once, in order."""
        assert self.validation_set is not None
        return self.in_order(self.validation_set)

    def test_dataloader(self) -> DataLoader[SequenceBatch]:
        """Every test window once, in order."""
        assert self.test_set is not None
        return self.in_order(self.test_set)

    def in_order(self, windows: WindowDataset) -> DataLoader[SequenceBatch]:
        """Every window once, shared among processes."""
        rank, world_size = self._place()
        order = BatchIndices(len(windows), 2048, shuffle=False, rank=rank, world_size=world_size)
        return batches(windows, order, device_of(self.trainer))

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def typical_length(steps: np.ndarray) -> float | None:
    """The median length of steps of any shape; where most stand still, that of those that move.

    To stand still is to move by less than a thousandth of the longer steps (the 99th percentile): a place
    that is written with rounding errors does not quite stand. None where nothing moves.

    >>> typical_length(np.array([1.0, 2.0, 3.0])), typical_length(np.array([0.0, 0.0, 1e-9, 3.0]))
    (2.0, 3.0)
    """
    if not steps.size or not steps.max() > 0:
        return None
    longer = float(np.quantile(steps, 0.99)) or float(steps.max())
    for some in (steps, steps[steps > longer / 1000]):
        median = float(np.quantile(some, 0.5, method="lower"))
        if median > longer / 1000:
            return median
    return None


def check_alike(tables: Sequence[TrackTable]) -> None:
    """Refuses recordings that cannot be learned from together.

    Raises:
        DatasetError: units, coordinates or seconds per step differ, or there is no recording.
    """
    if not tables:
        raise DatasetError("no recordings given")
    first = tables[0]
    for table in tables[1:]:
        same_rate = np.isclose(table.seconds_per_step, first.seconds_per_step, rtol=0.05)
        if (
            table.unit != first.unit
            or table.positions_RC.shape[1] != first.positions_RC.shape[1]
            or not same_rate
        ):
            raise DatasetError(
                f"{table.recording} is in {table.unit}, {table.positions_RC.shape[1]} values, "
                f"{table.seconds_per_step:g} s a step; {first.recording} in {first.unit}, "
                f"{first.positions_RC.shape[1]} values, {first.seconds_per_step:g} s a step"
            )
